import { DamselflyError, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { isBusy, type Row, type StoreFile } from './store-file.ts'

const gatherMs = 100
const batchRowsMax = 500
const waitedForMs = 5
const busyMsMax = 5_000

interface Waiting {
  readonly row: Row
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: DamselflyError) => void
}

/**
 * Gathers rows and writes them together: after 100 ms, or 500 rows, whichever comes first. A row that comes
 * right after a transaction most likely waited for it (a rule works on a topic's messages one by one), and
 * is written with what else is there at once; else one topic could store ten rows a second.
 * What comes while the disk takes a transaction waits for the next one.
 */
export class StoreWriter {
  readonly #file: StoreFile
  #waiting: Waiting[] = []
  #bytes = 0
  #cancel: (() => void) | undefined
  /** Committed, and not yet on the disk. */
  #committed: Waiting[] = []
  #wroteAtMs = Number.NEGATIVE_INFINITY
  #busySinceMs: number | undefined
  #isClosing = false

  constructor(file: StoreFile) {
    this.#file = file
  }

  /**
   * Resolves when the row is on the disk: it outlives a power cut.
   * @throws DamselflyError `STORE_FAILED`: too many rows wait (`limits.storeRowsMax`, `storeBytesMax`), or
   *   the file cannot be written
   */
  add(row: Row): Promise<void> {
    const bytes = bytesOf(row)
    if (this.#waiting.length >= limits.storeRowsMax) return Promise.reject(tooMany('storeRowsMax'))
    if (this.#bytes + bytes > limits.storeBytesMax) return Promise.reject(tooMany('storeBytesMax'))
    return new Promise((resolve, reject) => {
      this.#waiting.push({ row, bytes, resolve, reject })
      this.#bytes += bytes
      const isFull = this.#waiting.length >= batchRowsMax
      if (isFull && this.#busySinceMs === undefined && !this.#isSyncing) this.#flush()
      else this.#schedule(performance.now() - this.#wroteAtMs < waitedForMs ? 0 : gatherMs)
    })
  }

  /** Writes what waits, and closes the file. What cannot be written now fails. */
  close(): void {
    this.#isClosing = true
    while (this.#waiting.length > 0) this.#flush()
    this.#file.close()
    this.#settle(undefined)
  }

  #schedule(delayMs: number): void {
    if (this.#cancel !== undefined || this.#isSyncing) return
    const flush = (): void => this.#flush()
    if (delayMs === 0) {
      const immediate = setImmediate(flush)
      this.#cancel = () => clearImmediate(immediate)
    } else {
      const timer = setTimeout(flush, delayMs)
      this.#cancel = () => clearTimeout(timer)
    }
  }

  #flush(): void {
    this.#cancel?.()
    this.#cancel = undefined
    const batch = this.#waiting.slice(0, batchRowsMax)
    let errors: readonly unknown[]
    try {
      errors = this.#file.write(batch.map(({ row }) => row))
    } catch (error) {
      if (isBusy(error) && this.#mayWait()) {
        this.#schedule(gatherMs)
        return
      }
      errors = batch.map(() => error)
    }
    this.#busySinceMs = undefined
    this.#waiting.splice(0, batch.length)
    for (const [index, row] of batch.entries()) {
      const error = errors[index]
      if (error === undefined) this.#committed.push(row)
      else this.#end(row, error)
    }
    if (this.#isClosing) return
    if (this.#isSyncing) void this.#sync()
    else if (this.#waiting.length > 0) this.#schedule(0)
  }

  get #isSyncing(): boolean {
    return this.#committed.length > 0
  }

  async #sync(): Promise<void> {
    const error = await this.#file.sync().then(
      () => undefined,
      (error: unknown) => error,
    )
    this.#settle(error)
    if (this.#waiting.length > 0 && !this.#isClosing) this.#schedule(0)
  }

  #settle(error: unknown): void {
    this.#wroteAtMs = performance.now()
    for (const row of this.#committed.splice(0)) this.#end(row, error)
  }

  #end({ bytes, resolve, reject }: Waiting, error: unknown): void {
    this.#bytes -= bytes
    if (error === undefined) resolve()
    else reject(storeFailed(error))
  }

  #mayWait(): boolean {
    if (this.#isClosing) return false
    const nowMs = performance.now()
    this.#busySinceMs ??= nowMs
    return nowMs - this.#busySinceMs < busyMsMax
  }
}

function bytesOf({ cells }: Row): number {
  let bytes = 0
  for (const cell of cells.values()) {
    if (typeof cell === 'string' || cell instanceof Uint8Array) bytes += cell.length
  }
  return bytes
}

function tooMany(limit: 'storeRowsMax' | 'storeBytesMax'): DamselflyError {
  const what = limit === 'storeRowsMax' ? `${limits[limit]} rows` : `rows of ${limits[limit]} bytes in all`
  const message = `${what} wait to be written already; the disk or another program holds up the database`
  return new DamselflyError('STORE_FAILED', message, { limit })
}

function storeFailed(cause: unknown): DamselflyError {
  if (cause instanceof DamselflyError) return cause
  const hint = isBusy(cause) ? '; another program keeps the database locked' : ''
  return new DamselflyError('STORE_FAILED', `the row was not written: ${reasonOf(cause)}${hint}`, { cause })
}
