// A daemon that hangs, and one that reads its configuration anew.
import { end, play } from '../service.mjs'
import { blocked, deaf, prepare, short, stopped, stuck } from './parts/hang.mjs'
import { bad, good, load, misconfigured, storm } from './parts/reload.mjs'

await play({ good, bad, storm, load, prepare, stopped, blocked, short, deaf, stuck, misconfigured })
end()
