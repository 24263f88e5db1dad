#!/usr/bin/env -S node --max-semi-space-size=1 --v8-pool-size=1
import { setFlagsFromString } from 'node:v8'

// Node's compiler begins a little later: what runs only once at the start is not worth its 3 MB.
setFlagsFromString('--interrupt-budget=300000')

const [command, option, value, ...more] = process.argv.slice(2)
const isShort =
  command === 'safe' &&
  (option === undefined || (option === '--hold' && value !== undefined)) &&
  more.length === 0

// after a crash the pins wait for `safe`: it does not wait for the parser of the command line
// nor does the daemon keep that in memory for as long as it runs
if (command === 'start' && option === undefined) await (await import('./cli/start.ts')).startNow()
else if (isShort) await (await import('./cli/safe.ts')).safeNow({ hold: value ?? '0s' })
else await (await import('./cli/program.ts')).runProgram()
