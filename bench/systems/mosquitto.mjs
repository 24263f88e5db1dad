// Debian's mosquitto, in a folder of its own.
import { writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { firstConnackNs } from '../mqtt-wire.mjs'
import { end, freePort, spawnOn } from './support.mjs'

/**
 * @param folder an empty one, for configuration and data
 * @param config lines of mosquitto.conf beside the listener
 * @param processors that it may use; all unless told
 */
export async function startMosquitto(folder, { config = [], processors } = {}) {
  const port = await freePort()
  const file = join(folder, 'mosquitto.conf')
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    `user ${userInfo().username}`,
    ...config,
  ]
  await writeFile(file, `${lines.join('\n')}\n`)
  const begunNs = process.hrtime.bigint()
  const child = spawnOn(processors, 'mosquitto', ['-c', file], { stdio: ['ignore', 'ignore', 'inherit'] })
  const startMs = Number((await firstConnackNs(port, child)) - begunNs) / 1e6
  return { port, pid: child.pid, begunNs, startMs, stop: () => end(child) }
}
