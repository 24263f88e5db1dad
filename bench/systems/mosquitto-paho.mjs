// mosquitto with the settings of Debian's package, and the script beside it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { firstConnackNs } from '../mqtt-wire.mjs'
import { end, freePort } from './support.mjs'

const script = join(import.meta.dirname, 'paho-handler.py')

/** @param folder an empty one, for configuration, log and data */
export async function startMosquittoAndPaho(folder) {
  const port = await freePort()
  const config = join(folder, 'mosquitto.conf')
  await writeFile(
    config,
    `listener ${port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location ${folder}/
log_dest file ${folder}/mosquitto.log
user ${userInfo().username}
`,
  )
  const begunNs = process.hrtime.bigint()
  const since = (ns) => Number(ns - begunNs) / 1e6
  const broker = spawn('mosquitto', ['-c', config], { stdio: ['ignore', 'ignore', 'inherit'] })
  const connackMs = since(await firstConnackNs(port, broker))
  const handler = spawn('/usr/bin/python3', [script, `${port}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(handler.stdout, 'data') // it says when it is subscribed
  return {
    name: 'mosquitto',
    port,
    pids: [broker.pid, handler.pid],
    brokerPids: [broker.pid],
    startMs: { connack: connackMs, handling: since(process.hrtime.bigint()) },
    stop: async () => {
      await end(handler)
      await end(broker)
    },
  }
}
