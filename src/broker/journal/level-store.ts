import {
  access,
  constants,
  copyFile,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  statfs,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { DamselflyError, errnoOf, reasonOf } from '../../core/errors.ts'
import type { Logger } from '../../core/ports.ts'
import { DiskReserve } from './disk-reserve.ts'
import { type Found, NewerStoreError, Restoring } from './restoring.ts'

/** Room that LevelDB needs to open at all. */
const diskBytesMin = 256 * 1024
/** Records read at once. */
const readRecords = 500

export type Level = ClassicLevel<Buffer, Buffer>

/** A store that is open, and what was found in it. */
export interface OpenStore {
  readonly level: Level
  readonly found: Found
}

/**
 * Opens the store in `dataDir/broker` and reads it whole. Of a damaged one a copy is set aside under a dated name, and
 * what can be saved is saved: a broker with half of its past is better than none.
 * @throws DamselflyError `STORE_FAILED` when the folder cannot be written, another process holds it, or a later
 *   version wrote it
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
    if ((await isDiskFull(dataDir).catch(() => false)) && (await reserve.giveUp())) {
      log.error(
        { dataDir },
        'the disk is full: started on the last reserve, nothing more can be kept; make room',
      )
      return await openAndRead(path, log)
    }
    const obstacle = await obstacleOf(path, cause)
    if (obstacle !== undefined)
      throw new DamselflyError('STORE_FAILED', `cannot open ${path}: ${obstacle}`, { cause })
    return await salvage(path, cause, log)
  }
}

/**
 * Takes the lock of the store in `dataDir/broker`, so that no other process uses the folder, and leaves what is in it.
 * @returns undefined when there is no such folder to be had, or nothing in it to be opened: then nobody else has it either
 * @throws DamselflyError `STORE_FAILED` when another process holds it
 */
export async function lockStore(dataDir: string, log: Logger): Promise<Level | undefined> {
  const path = storePath(dataDir)
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o750 })
    const level = newLevel(path)
    await level.open({ createIfMissing: !(await hasData(path)) })
    return level
  } catch (cause) {
    if (hasCode(cause, 'LEVEL_LOCKED'))
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

/** What LevelDB itself says: the errors around it only say where. */
export function causeOf(error: unknown): string {
  let deepest = error
  while (deepest instanceof Error && deepest.cause instanceof Error) deepest = deepest.cause
  return reasonOf(deepest)
}

const lockedWords =
  'another Damselfly uses it; stop that one (systemctl stop damselfly) or set another DATA_DIR in .env'

function storePath(dataDir: string): string {
  return join(dataDir, 'broker')
}

function newLevel(path: string): Level {
  return new ClassicLevel<Buffer, Buffer>(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    cacheSize: 256 * 1024, // it is read once
    writeBufferSize: 2 * 1024 * 1024,
  })
}

async function openAndRead(path: string, log: Logger): Promise<OpenStore> {
  const level = newLevel(path)
  try {
    // LevelDB takes a folder without its file CURRENT for a new one, and begins with nothing
    await level.open({ createIfMissing: !(await hasData(path)) })
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
    await report(path, found, log)
    return { level, found }
  } catch (error) {
    await level.close().catch(() => {})
    throw error
  }
}

async function report(path: string, found: Found, log: Logger): Promise<void> {
  const unreadableBytes = await droppedBytes(path)
  const { damagedRecords } = found
  if (damagedRecords + unreadableBytes === 0) return
  log.error(
    { store: path, damagedRecords, unreadableBytes, records: found.records - damagedRecords },
    'some of the store could not be read, and is lost',
  )
}

/** What LevelDB left out of its log when it opened it: it only says so in its own file. */
async function droppedBytes(path: string): Promise<number> {
  const text = await readFile(join(path, 'LOG'), 'utf8').catch(() => '')
  let bytes = 0
  for (const [, dropped] of text.matchAll(/dropping (\d+) bytes/g)) bytes += Number(dropped)
  return bytes
}

async function hasData(path: string): Promise<boolean> {
  const files = await readdir(path).catch((): string[] => [])
  return files.some((file) => /\.(ldb|log)$/.test(file))
}

/** Sets a copy aside, has LevelDB rebuild what it can read, and begins anew when that does not help. */
async function salvage(path: string, reason: unknown, log: Logger): Promise<OpenStore> {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(':', '')}`
  log.error(
    { store: path, setAside: aside, reason: causeOf(reason) },
    'store is damaged: a copy was set aside, saving what can be saved',
  )
  try {
    await copyAside(path, aside)
    await ClassicLevel.repair(path)
    await rm(join(path, 'lost'), { recursive: true, force: true }) // what it could not read; the copy has it
    const store = await openAndRead(path, log)
    log.warn({ store: path, ...savedOf(store.found) }, 'this much of the damaged store was saved')
    return store
  } catch (error) {
    log.error(
      { store: path, setAside: aside, reason: causeOf(error) },
      'nothing of the damaged store was saved',
    )
    const isCopied = await access(aside).then(
      () => true,
      () => false,
    )
    if (isCopied) await rm(path, { recursive: true, force: true })
    else await rename(path, aside)
    return await openAndRead(path, log)
  }
}

function savedOf({ state, legacy, records, leftovers }: Found): Record<string, number> {
  const sessions = state.sessions.length + [...legacy.sessions].length
  return {
    records: records - leftovers.length,
    lostRecords: leftovers.length,
    retained: state.retained.length + legacy.retained.length,
    sessions,
  }
}

/** @NOTE hard links where there are some, which take no room: LevelDB never changes a file that it has closed */
async function copyAside(path: string, aside: string): Promise<void> {
  const making = `${aside}.part`
  await mkdir(making)
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (!entry.isFile()) continue
    const [from, to] = [join(path, entry.name), join(making, entry.name)]
    await link(from, to).catch(() => copyFile(from, to))
  }
  await rename(making, aside)
}

/** What an owner can put right, in words; undefined when the store itself is at fault. */
async function obstacleOf(path: string, error: unknown): Promise<string | undefined> {
  if (hasCode(error, 'LEVEL_LOCKED')) return lockedWords
  if (error instanceof NewerStoreError) return error.message
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
