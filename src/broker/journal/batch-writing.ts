import { stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Counters } from '../../core/counters.ts'
import { errnoOf } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'
import type { Logger } from '../../core/ports.ts'
import type { Batch } from './batch.ts'
import { BatchFilling } from './batch-filling.ts'
import { RecordEncoder } from './codec.ts'
import { causeOf, isNoSpace } from './level-errors.ts'
import { diskBytesMin, type Level, reopen } from './level-store.ts'
import { isReadOnlyForUs } from './mounts.ts'
import type { Outage } from './outage.ts'

/** How long until a store that could not be written is opened anew. */
const retryMs = 2_000
/** How often it is looked whether its files are still there: what is written to deleted ones is lost, silently. */
const lookMs = 1_000

export interface BatchWritingParts {
  readonly level: Level
  /** Whether a batch is to outlive the power. */
  readonly isSynced: boolean
  readonly log: Logger
  readonly counters: Counters
  /** Is told when a write fails or is late, and when one succeeds. */
  readonly outage: Outage
  /** Called each time when the disk can be written, and only by another process. */
  readonly onOutOfReach: () => void
}

/**
 * Writes batches, one after the other. A disk that refuses one is tried again until it takes it: LevelDB is opened anew
 * each time, for after a failed write it may lose what is written next. When its files were deleted or replaced, nothing
 * is kept any more, which is told: only a new start can make a new store.
 */
export class BatchWriting {
  readonly #parts: BatchWritingParts
  readonly #filling = new BatchFilling()
  readonly #closing = new AbortController()
  /** Sessions whose records are still to be removed. */
  readonly #ended: number[] = []
  #sweeping: Promise<void> | undefined
  /** Whether the last try failed for want of room. */
  #lacksRoom = false
  /** The file that LevelDB locks, and never makes anew, as it was when the store was open. */
  #lock: string | undefined
  #isGone = false
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(parts: BatchWritingParts) {
    this.#parts = parts
  }

  /** Tries at once what is to be tried again, and never after that. */
  giveUp(): void {
    this.#closing.abort()
  }

  /**
   * Resolves when the batch is kept: on the disk if `isSynced`, else with the operating system.
   * @returns false when it was given up
   */
  async write(batch: Batch): Promise<boolean> {
    while (!(await this.#attempt(batch))) {
      if (this.#closing.signal.aborted) return false
      await this.#recover()
    }
    this.#parts.outage.end()
    if (batch.ended.length > 0) {
      for (const session of batch.ended) this.#ended.push(session)
      this.#sweeping ??= this.#sweep()
    }
    return true
  }

  async close(): Promise<void> {
    this.#closing.abort()
    await this.#sweeping
    await this.#parts.level.close()
  }

  async #attempt(batch: Batch): Promise<boolean> {
    const { level, isSynced, counters, outage } = this.#parts
    if (level.status !== 'open') return false // it is told why
    const late = setTimeout(() => {
      counters.add('keepMsMax')
      outage.begin(`a write has taken ${limits.keepMsMax / 1_000} s, and is not done`, 'warn')
    }, limits.keepMsMax).unref()
    try {
      await this.#look()
      if (this.#isGone) throw new Error('its files were deleted or replaced')
      const target = level.batch()
      await this.#filling.fill(target, batch)
      await target.write({ sync: isSynced })
      return true
    } catch (error) {
      counters.add('store.failedWrites')
      this.#lacksRoom = isNoSpace(error)
      outage.begin(causeOf(error))
      return false
    } finally {
      clearTimeout(late)
    }
  }

  /** Waits, and opens the store anew. On a full disk it waits for some room: a little would be gone with the next messages. */
  async #recover(): Promise<void> {
    const { level, outage } = this.#parts
    const { signal } = this.#closing
    do await sleep(retryMs, undefined, { signal, ref: false }).catch(() => {})
    while (this.#lacksRoom && !signal.aborted && (await isFull(level.location)))
    await this.#look()
    if (this.#isGone) return
    try {
      await reopen(level)
    } catch (error) {
      this.#lacksRoom = isNoSpace(error)
      outage.begin(causeOf(error))
      if (await isReadOnlyForUs(level.location)) this.#parts.onOutOfReach()
    }
  }

  async #look(): Promise<void> {
    const nowMs = performance.now()
    if (nowMs - this.#lookedAtMs < lookMs) return
    this.#lookedAtMs = nowMs
    const { level, log } = this.#parts
    const found = await identityOf(join(level.location, 'LOCK'))
    if (found === undefined) return
    if (level.status === 'open') this.#lock ??= found
    const wasGone = this.#isGone
    this.#isGone = this.#lock !== undefined && (found === absent || found !== this.#lock)
    if (this.#isGone && !wasGone)
      log.error(
        { store: level.location },
        'the store is gone: nothing is kept any more, and no message acknowledged that must be; restart Damselfly',
      )
  }

  /** What goes with sessions that have ended. What is left of them when it fails goes at the next start. */
  async #sweep(): Promise<void> {
    const encoder = new RecordEncoder()
    for (let next = this.#ended.pop(); next !== undefined; next = this.#ended.pop()) {
      if (this.#closing.signal.aborted) break
      encoder.sessionPrefix(next)
      const gte = Buffer.from(encoder.key)
      encoder.sessionPrefix(next + 1)
      const lt = Buffer.from(encoder.key)
      await this.#parts.level.clear({ gte, lt }).catch(() => {})
    }
    this.#sweeping = undefined
  }
}

const absent = 'absent'

/**
 * Tells a file from any other, also from one that got its inode after it.
 * @returns undefined when it cannot be told
 */
async function identityOf(path: string): Promise<string | undefined> {
  return await stat(path, { bigint: true }).then(
    ({ ino, birthtimeNs }) => `${ino} ${birthtimeNs}`,
    (error) => (errnoOf(error) === 'ENOENT' ? absent : undefined),
  )
}

/** Whether so little room is left that the store would be full again at once; no, when it cannot be told. */
async function isFull(path: string): Promise<boolean> {
  const disk = await statfs(path).catch(() => undefined)
  return (
    disk !== undefined && disk.bavail * disk.bsize < Math.min(diskBytesMin, (disk.blocks * disk.bsize) / 8)
  )
}
