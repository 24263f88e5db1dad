// Stands in for dist/main.js: notifies, feeds the watchdog, and tries what actions do under the unit's confinement.
import { execFile } from 'node:child_process'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { serviceInstall, serviceStatus, serviceUninstall } from './cli/service.js'
import { defaultInterface } from './system/default-interface.js'
import { Lan } from './system/lan.js'
import { findServiceManager } from './system/service-manager.js'
import { startWatchdog } from './system/watchdog.js'

const [command, subcommand] = process.argv.slice(2)
const state = process.env.STATE_DIRECTORY
const options = { packageDir: new URL('..', import.meta.url).pathname, print: (line) => console.log(line) }
const log = Object.fromEntries(
  ['debug', 'info', 'warn', 'error'].map((level) => [
    level,
    (fields, message) => console.log(level, message, fields),
  ]),
)

if (command === 'service') {
  const run = { install: serviceInstall, uninstall: serviceUninstall, status: serviceStatus }[subcommand]
  try {
    process.exitCode = (await run(options)) === false ? 3 : 0
  } catch (error) {
    console.error(`${error.code}: ${error.message}`)
    process.exitCode = 1
  }
} else if (command === 'safe') {
  await appendFile(`${state}/safe`, `${process.env.SERVICE_RESULT}\n`)
} else {
  if ((await readFile('.env', 'utf8')).includes('WRONG')) process.exit(2)
  const manager = await findServiceManager(process.env, log)
  const lan = new Lan({ log })
  await lan.start()
  await new Promise((resolve) => createServer().listen(1883, '127.0.0.1', resolve))
  await writeFile(`${state}/tried.json`, JSON.stringify({ ...(await tried()), ip: lan.identity.ip }))
  manager.notify({ kind: 'ready', status: 'listening on 127.0.0.1:1883' })
  startWatchdog({ manager, log, probe: async () => undefined })
  process.on('SIGHUP', () => {
    manager.notify({ kind: 'reloading' })
    setTimeout(() => manager.notify({ kind: 'ready', status: 'reloaded' }), 300)
  })
  process.on('SIGTERM', () => {
    manager.notify({ kind: 'stopping' })
    process.exit(0)
  })
}

/** What worked and, with its reason, what did not. */
async function tried() {
  const run = (program, args) => promisify(execFile)(program, args, { timeout: 5_000 })
  const attempts = {
    libsql: async () => {
      const { default: Database } = await import('libsql')
      const database = new Database(`${state}/proof.db`)
      database.exec('pragma journal_mode = wal; create table if not exists t (x); insert into t values (1)')
      return database.prepare('select count(*) > 0 as n from t').get().n
    },
    level: async () => {
      const { ClassicLevel } = await import('classic-level')
      const level = new ClassicLevel(`${state}/level`)
      await level.put('a', 'b')
      return await level.get('a')
    },
    exec: async () => (await run('/usr/bin/id', ['-un'])).stdout.trim(),
    shell: async () => (await run('/bin/sh', ['-c', 'echo x > /tmp/x && cat /tmp/x'])).stdout.trim(),
    ipProgram: async () =>
      (await run('/usr/sbin/ip', ['-oneline', 'address', 'show', 'lo'])).stdout.includes('127.0.0.1'),
    firstAnswer: () => defaultInterface(5_000),
    procfs: async () => (await readFile('/proc/meminfo', 'utf8')).includes('MemTotal'),
    writeEtc: () => writeFile('/etc/damselfly/x', ''),
    readHome: async () => (await run('/bin/ls', ['/home'])).stdout,
    seeHome: () => readFile('/root/secret', 'utf8'),
    privileges: async () => /NoNewPrivs:\s+(\d)/.exec(await readFile('/proc/self/status', 'utf8'))?.[1],
    files: async () => /Max open files\s+(\d+)/.exec(await readFile('/proc/self/limits', 'utf8'))?.[1],
  }
  const results = {}
  for (const [name, attempt] of Object.entries(attempts))
    results[name] = (await attempt().catch((error) => `refused: ${error.code ?? error.message}`)) ?? 'nothing'
  return results
}
