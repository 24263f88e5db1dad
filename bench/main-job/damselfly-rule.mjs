// Damselfly with a rule, and an action of the house's own.
import { startDamselfly } from '../systems/damselfly.mjs'

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
export async function startDamselflyWithRule(folder) {
  const broker = await startDamselfly(folder, { rules, actions: { 'bench.mjs': action } })
  return {
    name: 'damselfly',
    port: broker.port,
    pids: [broker.pid],
    brokerPids: [broker.pid],
    startMs: { connack: broker.startMs, handling: broker.startMs },
    stop: broker.stop,
  }
}
