// What the journal has of the daemon, and what stays on the disk of many messages.
import { parseArgs } from 'node:util'
import { end, play } from '../service.mjs'
import { disk } from './parts/disk.mjs'
import { fields, repeats, secrets, storm } from './parts/log.mjs'

const { values } = parseArgs({
  options: { messages: { type: 'string', default: '20000' }, only: { type: 'string' } },
})
await play({ fields, repeats, storm, disk: () => disk(Number(values.messages)), secrets })
end()
