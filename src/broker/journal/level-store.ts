import { access, constants, mkdir, readdir, readFile, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { DamselflyError, errnoOf, reasonOf } from '../../core/errors.ts'
import type { Logger } from '../../core/ports.ts'
import { DiskReserve } from './disk-reserve.ts'
import { causeOf, isDiskError, isLockedError, isNoSpace } from './level-errors.ts'
import { damagedFiles } from './manifest.ts'
import { readStore } from './read-store.ts'
import { type Found, NewerStoreError, Restoring } from './restoring.ts'
import { clearAway, isHeldElsewhere, putBack, rebuildStore } from './salvage.ts'
import { readLog } from './write-log.ts'

/** Bytes that LevelDB writes to a log before it makes a table of it. */
const writeBufferBytes = 2 * 1024 * 1024
/** Room on the disk that LevelDB may need to open: it makes tables of one log or two. */
export const diskBytesMin = 2 * writeBufferBytes
/** Records read at once. */
const readRecords = 500

export type Level = ClassicLevel<Buffer, Buffer>

/** A store that is open, or was only read, and what was found in it. */
export interface OpenStore {
  readonly level: Level
  readonly found: Found
  /** Why it was only read: it cannot be written now. Then `level` is to be opened when it can. */
  readonly obstacle?: string
}

/**
 * Opens the store in `dataDir/broker` and reads it whole. Of a damaged one a copy is set aside under a dated name, and
 * what can be saved is saved: a broker with half of its past is better than none. One that is whole on a disk that cannot be
 * written is only read.
 * @throws DamselflyError `STORE_FAILED` when there is none and none can be made, the disk fails, another process holds it,
 *   or a later version wrote it
 */
export async function openStore(dataDir: string, log: Logger): Promise<OpenStore> {
  const path = storePath(dataDir)
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
    const store = await openAndRead(path, log)
    await reserve.keep()
    return store
  } catch (cause) {
    if ((await isDiskFull(dataDir, cause)) && (await reserve.giveUp())) {
      log.error(
        { dataDir },
        'the disk is full: started on the last reserve, nothing more can be kept; make room',
      )
      return await openAndRead(path, log).catch((error) => readOrSalvage(dataDir, error, log))
    }
    return await readOrSalvage(dataDir, cause, log)
  }
}

/** Of a store that cannot be opened. */
async function readOrSalvage(dataDir: string, cause: unknown, log: Logger): Promise<OpenStore> {
  const path = storePath(dataDir)
  const obstacle = isLockedError(cause) ? undefined : await writeObstacleOf(dataDir, cause)
  const found = obstacle === undefined ? undefined : await readWhole(path)
  if (obstacle === undefined || found === undefined) return await salvageUnlessBarred(path, cause, log)
  const level = await newLevel(path)
  await level.open().catch(() => {}) // there may be room again
  return { level, found, obstacle }
}

/** Why nothing can be written there now, though it may be later; undefined when something can be. */
async function writeObstacleOf(dataDir: string, cause: unknown): Promise<string | undefined> {
  const isReadOnly = await access(dataDir, constants.W_OK).then(
    () => false,
    (error) => errnoOf(error) === 'EROFS',
  )
  if (isReadOnly) return 'its disk is read-only'
  return (await isDiskFull(dataDir, cause))
    ? `its disk is full: ${await freeWords(dataDir)} are free`
    : undefined
}

/** @returns undefined when it is damaged, or of a version that must be rewritten first */
async function readWhole(path: string): Promise<Found | undefined> {
  try {
    await refuseDamaged(path)
    const found = await readStore(path)
    return found.legacy.isEmpty ? found : undefined
  } catch {
    return undefined // what is wrong with it is told by who tries to open it
  }
}

/**
 * Takes the lock of the store in `dataDir/broker`, so that no other process uses the folder, and leaves what is in it.
 * @returns undefined when there is no such folder to be had, or what is in it cannot be opened
 * @throws DamselflyError `STORE_FAILED` when another process holds it
 */
export async function lockStore(dataDir: string, log: Logger): Promise<Level | undefined> {
  const path = storePath(dataDir)
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o750 })
    await refuseDamaged(path)
    const level = await newLevel(path)
    await level.open()
    return level
  } catch (cause) {
    if (isLockedError(cause))
      throw new DamselflyError('STORE_FAILED', `cannot open ${path}: ${lockedWords}`, { cause })
    log.warn({ store: path, reason: causeOf(cause) }, 'the data folder cannot be locked')
    return undefined
  }
}

/** Opens it as it was opened before. @throws LevelDB's error */
export async function reopen(level: Level): Promise<void> {
  await level.close()
  await level.open({ createIfMissing: false })
}

const lockedWords =
  'another Damselfly uses it; stop that one (systemctl stop damselfly) or set another DATA_DIR in .env'

function storePath(dataDir: string): string {
  return join(dataDir, 'broker')
}

async function refuseDamaged(path: string): Promise<void> {
  const [damaged] = await damagedFiles(path)
  if (damaged !== undefined) throw new Error(`its file ${damaged} is damaged, or gone`)
}

/** @NOTE it begins to open at once */
async function newLevel(path: string): Promise<Level> {
  await mkdir(path, { mode: 0o700 }).catch(() => {}) // else with the mask of whoever starts it: everybody could read it
  const files = await readdir(path).catch((): string[] => [])
  return new ClassicLevel<Buffer, Buffer>(path, {
    // LevelDB would take a folder without its file CURRENT for a new one, and begin with nothing
    createIfMissing: !files.some((file) => /\.(ldb|log)$/.test(file)),
    compression: false, // the tables can be checked then, and it costs more time than it saves
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    cacheSize: 256 * 1024, // it is read once
    writeBufferSize: writeBufferBytes,
  })
}

async function openAndRead(path: string, log: Logger): Promise<OpenStore> {
  await refuseDamaged(path)
  const lostBytes = await lostOfLogs(path) // LevelDB takes its logs away when it has read them
  const level = await newLevel(path)
  try {
    await level.open()
    const restoring = new Restoring()
    const iterator = level.iterator({ highWaterMarkBytes: 256 * 1024 })
    try {
      for (;;) {
        const entries = await iterator.nextv(readRecords)
        if (entries.length === 0) break
        for (const [key, value] of entries) restoring.add(key, value)
      }
    } finally {
      await iterator.close()
    }
    const found = restoring.finish()
    await report(path, found, lostBytes, log)
    return { level, found }
  } catch (error) {
    await level.close().catch(() => {})
    throw error
  }
}

async function report(path: string, found: Found, lostBytes: number, log: Logger): Promise<void> {
  const dropped = await droppedBytes(path)
  const unreadableBytes = lostBytes === 0 ? 0 : Math.max(lostBytes, dropped)
  // it was on its way to the disk when the power failed, and nobody had been told that it is kept
  if (dropped > unreadableBytes)
    log.warn(
      { store: path, tornBytes: dropped },
      'the last write to the store had not ended, and is left out',
    )
  const { damagedRecords } = found
  if (damagedRecords + unreadableBytes === 0) return
  log.error(
    { store: path, damagedRecords, unreadableBytes, records: found.records - damagedRecords },
    'some of the store could not be read, and is lost',
  )
}

/**
 * What cannot be read of its logs, and has something behind it.
 * @NOTE LevelDB speaks of dropped bytes for the end of a log too, which a power cut tears off in the midst of a write that
 * nobody was told of yet
 */
async function lostOfLogs(path: string): Promise<number> {
  const files = await readdir(path).catch((): string[] => [])
  let bytes = 0
  for (const file of files) {
    if (!file.endsWith('.log')) continue
    bytes += readLog(await readFile(join(path, file))).lostBytes
  }
  return bytes
}

/** What LevelDB left out of its log when it opened it: it only says so in its own file. */
async function droppedBytes(path: string): Promise<number> {
  const text = await readFile(join(path, 'LOG'), 'utf8').catch(() => '')
  let bytes = 0
  for (const [, dropped] of text.matchAll(/dropping (\d+) bytes/g)) bytes += Number(dropped)
  return bytes
}

/** @throws DamselflyError `STORE_FAILED` when the store is not at fault */
async function salvageUnlessBarred(path: string, cause: unknown, log: Logger): Promise<OpenStore> {
  const obstacle = await obstacleOf(path, cause)
  if (obstacle !== undefined)
    throw new DamselflyError('STORE_FAILED', `cannot open ${path}: ${obstacle}`, { cause })
  return await salvage(path, cause, log)
}

/** Sets a copy aside, saves what can be saved, and begins anew when that is nothing. */
async function salvage(path: string, reason: unknown, log: Logger): Promise<OpenStore> {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(':', '')}`
  const fields = { store: path, setAside: aside }
  log.error(
    { ...fields, reason: causeOf(reason) },
    'store is damaged: a copy is set aside, saving what can be saved',
  )
  try {
    const lostBytes = await rebuildStore(path, aside)
    const store = await openAndRead(path, log)
    log.warn({ store: path, ...savedOf(store.found), lostBytes }, 'this much of the damaged store was saved')
    return store
  } catch (error) {
    if (isNoSpace(error)) {
      await putBack(path, aside)
      const words = `it is damaged, and ${await fullWords(dirname(path))}`
      throw new DamselflyError('STORE_FAILED', `cannot mend ${path}: ${words}`, { cause: error })
    }
    log.error({ ...fields, reason: causeOf(error) }, 'nothing of the damaged store was saved')
    await clearAway(path, aside)
    return await openAndRead(path, log)
  }
}

function savedOf({ state, legacy, records, leftovers }: Found): Record<string, number> {
  const sessions = state.sessions.length + [...legacy.sessions].length
  return {
    savedRecords: records - leftovers.length,
    lostRecords: leftovers.length,
    retained: state.retained.length + legacy.retained.length,
    sessions,
  }
}

/** What an owner can put right, in words; undefined when the store itself is at fault. */
async function obstacleOf(path: string, error: unknown): Promise<string | undefined> {
  if (isLockedError(error) || (await isHeldElsewhere(path))) return lockedWords
  if (error instanceof NewerStoreError) return error.message
  if (isDiskError(error))
    return `${causeOf(error)}: its disk fails, or is not connected well (dmesg says more). Nothing was changed; start again when it can be read, or take ${path} away to begin with nothing`
  try {
    for (const folder of [dirname(path), path]) await access(folder, constants.W_OK)
    if (await isDiskFull(dirname(path), error)) return await fullWords(dirname(path))
  } catch (denied) {
    if (errnoOf(denied) === 'ENOENT') return undefined
    if (errnoOf(denied) === 'EROFS')
      return `${reasonOf(denied)}: a first start, or the mending of a store, needs a disk that can be written`
    return `${reasonOf(denied)}; DATA_DIR must belong to the user who runs Damselfly`
  }
  return undefined
}

/** Whether there is no room to open a store, or to mend one: what LevelDB says then may look like damage. */
async function isDiskFull(folder: string, error: unknown): Promise<boolean> {
  return isNoSpace(error) || (await freeBytesOf(folder)) < diskBytesMin
}

async function fullWords(folder: string): Promise<string> {
  const free = await freeWords(folder)
  const needed = `${diskBytesMin / 1024 / 1024} MiB`
  return `the disk is full: ${free} are free in ${folder}, and up to ${needed} are needed to open it; make room on that disk and start again, nothing that was kept is lost`
}

async function freeWords(folder: string): Promise<string> {
  return `${Math.floor((await freeBytesOf(folder)) / 1024)} KiB`
}

/** @returns infinity when it cannot be told */
async function freeBytesOf(folder: string): Promise<number> {
  return await statfs(folder).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => Number.POSITIVE_INFINITY,
  )
}
