// A daemon reduced to one output: holds GPIO5 on, says so, and waits to be killed.

import { Counters } from '#src/core/counters.js'
import { PinBoard } from '#src/gpio/board.js'

const silent = () => {}
const log = { debug: silent, info: silent, warn: silent, error: silent }
const board = new PinBoard({ choice: 'auto', dataDir: process.argv[2], log, counters: new Counters() })
const place = { file: 'damselfly.yaml', line: 1, column: 1 }
await board.start([
  { name: 'valve', direction: 'out', line: 5, isActiveLow: false, initial: 'off', onStop: 'on', place },
])
process.stdout.write('holding\n')
setInterval(() => {}, 60_000)
