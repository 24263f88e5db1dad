import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import type { Counters } from '../core/counters.ts'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { DurableState } from './durable-state.ts'

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
  let level: Level
  try {
    level = await open(path)
  } catch (cause) {
    if (!isDamaged(cause)) throw explain(path, cause)
    const aside = `${path}.damaged-${new Date().toISOString().replaceAll(':', '')}`
    await rename(path, aside)
    log.error(
      { store: path, setAside: aside, reason: reasonOf(deepest(cause)) },
      'store was damaged: set aside, starting with an empty one',
    )
    level = await open(path)
  }
  const persistence = new DurableState({ level, log, counters })
  return {
    persistence,
    close: async () => {
      await persistence.flush()
      await level.close()
    },
  }
}

type Level = ClassicLevel<string, Buffer>

async function open(path: string): Promise<Level> {
  const level: Level = new ClassicLevel(path, {
    valueEncoding: 'buffer',
    cacheSize: 1024 * 1024,
    writeBufferSize: 1024 * 1024,
  })
  await level.open()
  return level
}

function isDamaged(error: unknown): boolean {
  const { code } = deepest(error) as { code?: string }
  return code === 'LEVEL_CORRUPTION' || code === 'LEVEL_INVALID_ARGUMENT'
}

function explain(path: string, cause: unknown): DamselflyError {
  const root = deepest(cause)
  const isLocked = (root as { code?: string }).code === 'LEVEL_LOCKED'
  const hint = isLocked
    ? 'another Damselfly uses it; stop that one (systemctl stop damselfly) or set another DATA_DIR in .env'
    : `${reasonOf(root)}; check that DATA_DIR belongs to the user who runs Damselfly`
  return new DamselflyError('STORE_FAILED', `cannot open ${path}: ${hint}`, { cause })
}

function deepest(error: unknown): unknown {
  let deep = error
  while (deep instanceof Error && deep.cause !== undefined && errnoOf(deep.cause) !== undefined)
    deep = deep.cause
  return deep
}
