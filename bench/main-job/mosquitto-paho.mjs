// mosquitto with the settings of Debian's package, and the script beside it.
import { once } from 'node:events'
import { join } from 'node:path'
import { startMosquitto } from '../systems/mosquitto.mjs'
import { end, spawnOn } from '../systems/support.mjs'

const script = join(import.meta.dirname, 'paho-handler.py')

/** @param folder an empty one, for configuration, log and data */
export async function startMosquittoAndPaho(folder) {
  const broker = await startMosquitto(folder, {
    config: [
      'persistence true',
      `persistence_location ${folder}/`,
      `log_dest file ${folder}/mosquitto.log`,
      'max_queued_messages 0', // what comes at once is more than the script takes at once
    ],
  })
  const handler = spawnOn(undefined, '/usr/bin/python3', [script, `${broker.port}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(handler.stdout, 'data') // it says when it is subscribed
  return {
    name: 'mosquitto',
    port: broker.port,
    pids: [broker.pid, handler.pid],
    brokerPids: [broker.pid],
    startMs: { connack: broker.startMs, handling: Number(process.hrtime.bigint() - broker.begunNs) / 1e6 },
    stop: async () => {
      await end(handler)
      await broker.stop()
    },
  }
}
