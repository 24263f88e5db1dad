// The machine has started with the service on it, without a network, and with a GPIO chip that nobody may open yet.
import { readFileSync } from 'node:fs'
import { end, play } from '../service.mjs'
import { clock } from './parts/clock.mjs'
import { neighbours } from './parts/neighbours.mjs'
import { network } from './parts/network.mjs'
import { start } from './parts/start.mjs'

process.env.PI = readFileSync('/run/chip', 'utf8').trim()
await play({ start, network, clock, neighbours })
end()
