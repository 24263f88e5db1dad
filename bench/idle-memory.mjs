// Resident memory of an idle Damselfly with the example configuration, beside an empty Node process, both
// read at the same moment. Ratio and difference; the limit is 30 MB above the empty process.
//   npm run build && node bench/idle-memory.mjs [SECONDS]
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const seconds = Number(process.argv[2] ?? 20)
const limitMb = 30
const root = join(import.meta.dirname, '..')
const folder = await mkdtemp(join(tmpdir(), 'damselfly-bench-'))
await cp(join(root, 'config'), join(folder, 'config'), { recursive: true })
await writeFile(join(folder, '.env'), 'PORT=18839\nBIND=loopback\nLOG_FORMAT=json\n', { mode: 0o600 })

const empty = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e9)'])
const daemon = spawn(
  process.execPath,
  ['--max-semi-space-size=1', '--v8-pool-size=1', join(root, 'dist/main.js'), 'start'],
  {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  },
)
try {
  await sleep(seconds * 1_000)
  const [emptyMb, daemonMb] = await Promise.all([residentMb(empty.pid), residentMb(daemon.pid)])
  const moreMb = daemonMb - emptyMb
  console.log(`empty Node ${emptyMb.toFixed(1)} MB   Damselfly ${daemonMb.toFixed(1)} MB`)
  console.log(
    `${moreMb.toFixed(1)} MB above an empty process (limit ${limitMb}), ratio ${(daemonMb / emptyMb).toFixed(2)}`,
  )
  process.exitCode = moreMb <= limitMb ? 0 : 1
} finally {
  empty.kill()
  daemon.kill()
  await new Promise((resolve) => daemon.once('exit', resolve))
  await rm(folder, { recursive: true })
}

async function residentMb(pid) {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return (Number(/VmRSS:\s+(\d+)/.exec(status)[1]) * 1024) / 1e6
}
