// Damselfly as its service runs it: one process, in a folder of its own.
import { readFileSync } from 'node:fs'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { firstConnackNs } from '../mqtt-wire.mjs'
import { end, freePort, spawnOn } from './support.mjs'

const root = join(import.meta.dirname, '../..')

/** The command line of the service, `node` left out. */
export const serviceArgv = [...serviceFlags(), join(root, 'dist/main.js'), 'start']

/**
 * @param folder an empty one, for configuration, data and the log
 * @param env what stands in `.env` beside the port
 * @param files of the house: { rules, actions: { name: text }, others: { name: text } }
 * @param processors that it may use; all unless told
 */
export async function startDamselfly(
  folder,
  { env = {}, rules = '', actions = {}, others = {}, processors } = {},
) {
  const port = await freePort()
  const variables = { PORT: port, BIND: 'loopback', GPIO_CHIP: 'simulated', LOG_FORMAT: 'json', ...env }
  await mkdir(join(folder, 'config/actions'), { recursive: true })
  await writeFile(
    join(folder, '.env'),
    Object.entries(variables)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
    { mode: 0o600 },
  )
  await writeFile(join(folder, 'config/damselfly.yaml'), rules)
  for (const [name, text] of Object.entries(others))
    await writeFile(join(folder, 'config', name), text, { mode: 0o600 })
  for (const [name, source] of Object.entries(actions))
    await writeFile(join(folder, 'config/actions', name), source)

  const log = await open(join(folder, 'log'), 'w')
  const begunNs = process.hrtime.bigint()
  const child = spawnOn(processors, process.execPath, serviceArgv, {
    cwd: folder,
    stdio: ['ignore', log.fd, 'inherit'],
  })
  await log.close()
  // its doors open last: who gets a CONNACK finds the rules in force
  const startMs = Number((await firstConnackNs(port, child)) - begunNs) / 1e6
  return { port, pid: child.pid, startMs, log: join(folder, 'log'), stop: () => end(child) }
}

/** What `systemd/damselfly.service` gives Node. */
function serviceFlags() {
  const unit = readFileSync(join(root, 'systemd/damselfly.service'), 'utf8')
  return /^ExecStart=\S+ (.*) \S+ start$/m.exec(unit)[1].split(' ')
}
