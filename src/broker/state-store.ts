import { access, constants, mkdir, readdir, rename, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import type { Counters } from '../core/counters.ts'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { DiskReserve } from './disk-reserve.ts'
import { causeOf, DurableState } from './durable-state.ts'

/** Room that LevelDB needs to open at all. */
const diskBytesMin = 256 * 1024

/** What outlives the process: retained messages, sessions and their subscriptions. */
export interface StateStore {
  /** An aedes persistence. */
  readonly persistence: DurableState
  close(): Promise<void>
}

/**
 * Opens the store in `dataDir/broker`. A store that cannot be read is set aside under a dated name and a
 * new one begun: a broker without its past is better than none.
 * @throws DamselflyError `STORE_FAILED` when the folder cannot be written, or another process holds it
 */
export async function openStateStore(dataDir: string, log: Logger, counters: Counters): Promise<StateStore> {
  const path = join(dataDir, 'broker')
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o750 })
  } catch (cause) {
    throw new DamselflyError(
      'STORE_FAILED',
      `cannot make ${dataDir}: ${reasonOf(cause)}; set DATA_DIR in .env to a folder that can be written`,
      { cause },
    )
  }
  const reserve = new DiskReserve(dataDir)
  try {
    const store = await open(path, log, counters)
    await reserve.keep()
    return store
  } catch (cause) {
    if ((await isDiskFull(dataDir).catch(() => false)) && (await reserve.giveUp())) {
      log.error(
        { dataDir },
        'the disk is full: started on the last reserve, nothing more can be kept; make room',
      )
      return await open(path, log, counters)
    }
    const obstacle = await obstacleOf(path, cause)
    if (obstacle !== undefined)
      throw new DamselflyError('STORE_FAILED', `cannot open ${path}: ${obstacle}`, { cause })
    const aside = `${path}.damaged-${new Date().toISOString().replaceAll(':', '')}`
    await rename(path, aside)
    log.error(
      { store: path, setAside: aside, reason: causeOf(cause) },
      'store was damaged: set aside, starting with an empty one',
    )
    return await open(path, log, counters)
  }
}

async function open(path: string, log: Logger, counters: Counters): Promise<StateStore> {
  await refuseHeadless(path)
  const level = new ClassicLevel<string, Buffer>(path, {
    valueEncoding: 'buffer',
    cacheSize: 1024 * 1024,
    writeBufferSize: 1024 * 1024,
  })
  const persistence = new DurableState({ level, log, counters })
  try {
    await level.open()
    await persistence.load()
  } catch (error) {
    await level.close().catch(() => {})
    throw error
  }
  return {
    persistence,
    close: async () => {
      await persistence.flush()
      await level.close()
    },
  }
}

/** LevelDB takes a folder without its file CURRENT for a new one, and begins with nothing. */
async function refuseHeadless(path: string): Promise<void> {
  const files = await readdir(path).catch((): string[] => [])
  const hasData = files.some((file) => /\.(ldb|log)$/.test(file))
  if (hasData && !files.includes('CURRENT')) throw new Error('its file CURRENT is gone')
}

/** What an owner can put right, in words; undefined when the store itself is at fault. */
async function obstacleOf(path: string, error: unknown): Promise<string | undefined> {
  if (hasCode(error, 'LEVEL_LOCKED')) {
    return 'another Damselfly uses it; stop that one (systemctl stop damselfly) or set another DATA_DIR in .env'
  }
  try {
    for (const folder of [dirname(path), path]) await access(folder, constants.W_OK)
    if (await isDiskFull(dirname(path))) return 'the disk is full'
  } catch (denied) {
    if (errnoOf(denied) === 'ENOENT') return undefined
    return `${reasonOf(denied)}; DATA_DIR must belong to the user who runs Damselfly`
  }
  return undefined
}

async function isDiskFull(folder: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize < diskBytesMin
}

function hasCode(error: unknown, code: string): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (errnoOf(at) === code) return true
  return false
}
