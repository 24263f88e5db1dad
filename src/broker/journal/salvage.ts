import { access, copyFile, link, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { isLockedError } from './level-errors.ts'
import { mendTable } from './tables.ts'
import { mendLog } from './write-log.ts'

/**
 * Rebuilds a damaged store out of what can be read of it, after a copy was made in `aside`.
 * @returns how many bytes of its tables and logs are lost
 * @throws LevelDB's error, or a file's: then nothing is left to be saved
 */
export async function rebuildStore(path: string, aside: string): Promise<number> {
  await copyAside(path, aside)
  let lostBytes = 0
  for (const file of await readdir(path)) {
    if (file.endsWith('.ldb')) lostBytes += await mendTable(join(path, file))
    // @NOTE the repair does not look at its checksums
    else if (file.endsWith('.log')) lostBytes += await mendLog(join(path, file))
  }
  await ClassicLevel.repair(path)
  await rm(join(path, 'lost'), { recursive: true, force: true }) // what it could not read; the copy has it
  return lostBytes
}

/** Takes the store out of the way, into `aside` unless a copy is there. */
export async function clearAway(path: string, aside: string): Promise<void> {
  const isCopied = await access(aside).then(
    () => true,
    () => false,
  )
  if (isCopied) await rm(path, { recursive: true, force: true })
  else await rename(path, aside)
}

/** Undoes `rebuildStore`, however far it came, so that a later start finds what this one found. */
export async function putBack(path: string, aside: string): Promise<void> {
  await rm(`${aside}.part`, { recursive: true, force: true })
  const isCopied = await access(aside).then(
    () => true,
    () => false,
  )
  if (!isCopied) return
  await rm(path, { recursive: true, force: true })
  await rename(aside, path)
}

/**
 * Whether another process holds the store, without opening it: LevelDB would begin to work on it.
 * @NOTE it opens an empty store that has the same file LOCK. Where there are no hard links it cannot know, and says no
 */
export async function isHeldElsewhere(path: string): Promise<boolean> {
  const probe = `${path}.probe`
  await rm(probe, { recursive: true, force: true })
  try {
    await mkdir(probe)
    await link(join(path, 'LOCK'), join(probe, 'LOCK'))
    const level = new ClassicLevel(probe)
    await level.open()
    await level.close()
    return false
  } catch (error) {
    return isLockedError(error)
  } finally {
    await rm(probe, { recursive: true, force: true }).catch(() => {})
  }
}

/** @NOTE hard links where there are some, which take no room: LevelDB never changes a file that it has closed */
async function copyAside(path: string, aside: string): Promise<void> {
  const making = `${aside}.part`
  await mkdir(making, { mode: 0o700 })
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (!entry.isFile()) continue
    const [from, to] = [join(path, entry.name), join(making, entry.name)]
    await link(from, to).catch(() => copyFile(from, to))
  }
  await rename(making, aside)
}
