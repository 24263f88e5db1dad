import { DamselflyError } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Row } from './store-file.ts'
import type { RowProblem } from './store-messages.ts'

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

/** Where rows go to. */
export interface RowFile {
  /** One call at a time. @returns for each row why it was not written, or undefined; never rejects */
  write(rows: readonly Row[]): Promise<readonly (RowProblem | undefined)[]>
  close(): Promise<void>
}

/**
 * Gathers rows and writes them together: after 100 ms, or 500 rows, whichever comes first. A row that comes
 * right after a transaction most likely waited for it (a rule works on a topic's messages one by one), and
 * is written with what else is there at once; else one topic could store ten rows a second.
 */
export class StoreWriter {
  readonly #file: RowFile
  #waiting: Waiting[] = []
  #bytes = 0
  #cancel: (() => void) | undefined
  #wroteAtMs = Number.NEGATIVE_INFINITY
  #busySinceMs: number | undefined
  #writing: Promise<void> | undefined
  #isClosing = false

  constructor(file: RowFile) {
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
      if (this.#busySinceMs === undefined && this.#waiting.length >= batchRowsMax) this.#flushSoon()
      else this.#schedule(performance.now() - this.#wroteAtMs < waitedForMs ? 0 : gatherMs)
    })
  }

  /** Writes what waits, and closes the file. What cannot be written now fails. */
  async close(): Promise<void> {
    this.#isClosing = true
    await this.#writing
    while (this.#waiting.length > 0) await this.#flush()
    await this.#file.close()
  }

  #schedule(delayMs: number): void {
    if (this.#cancel !== undefined || this.#writing !== undefined) return
    const flush = (): void => this.#flushSoon()
    if (delayMs === 0) {
      const immediate = setImmediate(flush)
      this.#cancel = () => clearImmediate(immediate)
    } else {
      const timer = setTimeout(flush, delayMs)
      this.#cancel = () => clearTimeout(timer)
    }
  }

  /** Writes, and goes on with what has come meanwhile. */
  #flushSoon(): void {
    this.#writing ??= this.#flush().then((delayMs) => {
      this.#writing = undefined
      if (this.#waiting.length > 0 && !this.#isClosing) this.#schedule(delayMs)
    })
  }

  /** @returns how long to wait with the next ones */
  async #flush(): Promise<number> {
    this.#cancel?.()
    this.#cancel = undefined
    const batch = this.#waiting.slice(0, batchRowsMax)
    const problems = await this.#file.write(batch.map(({ row }) => row))
    const isBusy = problems.length > 0 && problems.every((problem) => problem?.isBusy === true)
    if (isBusy && this.#mayWait()) return gatherMs
    this.#busySinceMs = undefined
    this.#wroteAtMs = performance.now()
    this.#waiting.splice(0, batch.length)
    for (const [index, { bytes, resolve, reject }] of batch.entries()) {
      this.#bytes -= bytes
      const problem = problems[index]
      if (problem === undefined) resolve()
      else reject(storeFailed(problem))
    }
    return 0
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

function storeFailed({ reason, isBusy, limit }: RowProblem): DamselflyError {
  if (limit !== undefined) return new DamselflyError('STORE_FAILED', reason, { limit })
  const hint = isBusy ? '; another program keeps the database locked' : ''
  return new DamselflyError('STORE_FAILED', `the row was not written: ${reason}${hint}`)
}
