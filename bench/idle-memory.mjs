// Resident memory of an idle Damselfly with the example configuration, beside an empty Node process, both
// read at the same moment. Ratio and difference; the limit is 30 MB above the empty process.
//   npm run build && node bench/idle-memory.mjs [SECONDS]
import { spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { memoryMb } from './process-cost.mjs'
import { startDamselfly } from './systems/damselfly.mjs'

const limitMb = 30
const root = join(import.meta.dirname, '..')

if (process.argv[1] === import.meta.filename) {
  const { emptyMb, daemonMb, moreMb } = await idleMemory(Number(process.argv[2] ?? 20))
  console.log(`empty Node ${emptyMb.toFixed(1)} MB   Damselfly ${daemonMb.toFixed(1)} MB`)
  console.log(
    `${moreMb.toFixed(1)} MB above an empty process (limit ${limitMb}), ratio ${(daemonMb / emptyMb).toFixed(2)}`,
  )
  process.exitCode = moreMb <= limitMb ? 0 : 1
}

/** @returns megabytes after so many seconds */
export async function idleMemory(seconds) {
  const folder = await mkdtemp(join(tmpdir(), 'damselfly-bench-'))
  await cp(join(root, 'config'), join(folder, 'config'), { recursive: true })
  const rules = await readFile(join(root, 'config/damselfly.yaml'), 'utf8')
  const empty = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e9)'])
  const daemon = await startDamselfly(folder, { rules, env: { GPIO_CHIP: 'auto' } })
  try {
    await sleep(seconds * 1_000)
    const [{ rss: emptyMb }, { rss: daemonMb }] = await Promise.all([
      memoryMb([empty.pid]),
      memoryMb([daemon.pid]),
    ])
    return { emptyMb, daemonMb, moreMb: daemonMb - emptyMb }
  } finally {
    empty.kill()
    await daemon.stop()
    await rm(folder, { recursive: true })
  }
}
