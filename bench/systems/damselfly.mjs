// Damselfly as its service runs it: one process, a rule, and an action of the house's own.
import { spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { firstConnackNs } from '../mqtt-wire.mjs'
import { end, freePort } from './support.mjs'

const main = join(import.meta.dirname, '../../dist/main.js')

const rules = `
rules:
  - on: bench/in
    when: payload.msg == "ON"
    do: { bench: note }
  - on: bench/report
    do: { bench: report }
`

// The counterpart of paho-handler.py: one file in config/actions/, as docs/actions.md tells it.
const action = `
import { renameSync, writeFileSync } from 'node:fs'

const noted = new Float64Array(100_000).fill(0)
let count = 0

export default {
  name: 'bench',
  options: (z) => z.object({ bench: z.enum(['note', 'report']) }),
  run({ options, event }) {
    if (options.bench === 'note') {
      noted[count++] = Number(process.hrtime.bigint()) - event.payload.t
    } else {
      writeFileSync(event.payload + '.part', new Uint8Array(noted.buffer, 0, 8 * count))
      renameSync(event.payload + '.part', event.payload)
      count = 0
    }
  },
}
`

/** @param folder an empty one, for configuration and data */
export async function startDamselfly(folder) {
  const port = await freePort()
  await mkdir(join(folder, 'config/actions'), { recursive: true })
  await writeFile(
    join(folder, '.env'),
    `PORT=${port}\nBIND=loopback\nGPIO_CHIP=simulated\nLOG_FORMAT=json\n`,
    {
      mode: 0o600,
    },
  )
  await writeFile(join(folder, 'config/damselfly.yaml'), rules)
  await writeFile(join(folder, 'config/actions/bench.mjs'), action)

  const begunNs = process.hrtime.bigint()
  const child = spawn(process.execPath, ['--max-semi-space-size=1', '--v8-pool-size=1', main, 'start'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  // its doors open last: who gets a CONNACK finds the rules in force
  const startMs = Number((await firstConnackNs(port, child)) - begunNs) / 1e6
  return {
    name: 'damselfly',
    port,
    pids: [child.pid],
    brokerPids: [child.pid],
    startMs: { connack: startMs, handling: startMs },
    stop: () => end(child),
  }
}
