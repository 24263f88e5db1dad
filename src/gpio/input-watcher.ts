import { Worker } from 'node:worker_threads'
import type { Counters } from '../core/counters.ts'
import { reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Logger } from '../core/ports.ts'
import type { WatchRequest, WorkerReport, WorkerSetup } from './input-messages.ts'
import type { LineEvent } from './uapi.ts'

const retryMsMax = 30_000
const healthyMs = 60_000

export interface InputWatcherOptions {
  readonly log: Logger
  /** Gets `inputEdgesMax`: edges dropped because too many were waiting. */
  readonly counters: Counters
  /** The thread's code; another one only in tests. */
  readonly workerUrl?: URL
  /** Wait before a thread that failed is started again, doubled each time up to 30 s; 1 s unless told. */
  readonly retryMs?: number
}

export interface WatchedLine {
  onEdge(event: LineEvent): void
  /** Edges may have been lost: look at the level. */
  resync(): void
}

/** One life of the thread. */
interface Run {
  readonly worker: Worker
  readonly waiting: Int32Array
  readonly ended: Promise<void>
  /** Who waits until the thread has taken which list. */
  readonly pending: Map<number, () => void>
  /** Edges may have been lost before the thread looked. */
  mayHaveMissed: boolean
}

/**
 * Watches the descriptors of all real inputs with one worker thread, which exists only while there is
 * something to watch. At most `limits.inputEdgesMax` edges wait between the thread and the process; more
 * are dropped and counted, and then the levels are looked at afresh. A thread that fails is started again.
 */
export class InputWatcher {
  readonly #log: Logger
  readonly #counters: Counters
  readonly #workerUrl: URL
  readonly #retryMsMin: number
  readonly #lines = new Map<number, WatchedLine>()
  readonly #broken = new Set<number>()
  #run: Run | undefined
  #retry: NodeJS.Timeout | undefined
  #retryMs: number
  #generation = 0

  constructor(options: InputWatcherOptions) {
    this.#log = options.log
    this.#counters = options.counters
    this.#workerUrl = options.workerUrl ?? new URL('./input-worker.js', import.meta.url)
    this.#retryMsMin = options.retryMs ?? 1_000
    this.#retryMs = this.#retryMsMin
  }

  /** Edges that the thread has read and the process has not taken yet. */
  get waitingEdges(): number {
    return this.#run === undefined ? 0 : Atomics.load(this.#run.waiting, 0)
  }

  /** Watches one more descriptor; edges that come before the thread looks wait in the kernel. */
  add(fd: number, line: WatchedLine): void {
    this.#lines.set(fd, line)
    if (this.#run !== undefined) this.#run.worker.postMessage(this.#request())
    else if (this.#retry === undefined) this.#start(false)
  }

  /** Resolves when the thread does not look at the descriptor any more: only then may it be closed. */
  async remove(fd: number): Promise<void> {
    if (!this.#lines.delete(fd)) return
    this.#broken.delete(fd)
    const run = this.#run
    if (this.#lines.size === 0) {
      clearTimeout(this.#retry)
      this.#retry = undefined
      this.#run = undefined // an empty list ends this thread; a line that is added now gets a new one
    }
    if (run === undefined) return
    const request = this.#request()
    const taken = new Promise<void>((resolve) => run.pending.set(request.generation, resolve))
    run.worker.postMessage(request)
    await (request.fds.length === 0 ? run.ended : taken)
  }

  #request(): WatchRequest {
    return { generation: ++this.#generation, fds: [...this.#lines.keys()] }
  }

  #start(mayHaveMissed: boolean): void {
    const first = this.#request()
    const waiting = new Int32Array(new SharedArrayBuffer(4))
    const setup: WorkerSetup = { first, waiting, edgesMax: limits.inputEdgesMax }
    const worker = new Worker(this.#workerUrl, {
      workerData: setup,
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    })
    const pending = new Map<number, () => void>()
    const startedMs = performance.now()
    let failure: unknown = 'it ended by itself'
    const { promise: ended, resolve: end } = newPromise()
    const run: Run = { worker, waiting, ended, pending, mayHaveMissed }
    worker.on('message', (report: WorkerReport) => this.#take(report, run))
    worker.on('error', (error) => {
      failure = error
    })
    worker.on('exit', () => {
      for (const resolve of pending.values()) resolve()
      end()
      if (this.#run === run) this.#recover(failure, performance.now() - startedMs)
    })
    this.#run = run
  }

  #take(report: WorkerReport, run: Run): void {
    switch (report.kind) {
      case 'watching':
        for (const [generation, resolve] of run.pending) {
          if (generation > report.generation) continue
          run.pending.delete(generation)
          resolve()
        }
        if (run.mayHaveMissed) this.#resync()
        run.mayHaveMissed = false
        break
      case 'edges':
        Atomics.sub(run.waiting, 0, report.edges.length)
        for (const edge of report.edges) this.#lines.get(edge.fd)?.onEdge(edge)
        break
      case 'dropped':
        this.#counters.add('inputEdgesMax', report.count)
        this.#log.warn({ edges: report.count }, 'input edges dropped: too many at once')
        this.#resync()
        break
      case 'broken':
        if (this.#broken.has(report.fd)) break // the thread finds it again with each list
        this.#broken.add(report.fd)
        this.#log.error({ reason: report.reason }, 'input line lost; its state is not known any more')
        break
    }
  }

  #recover(failure: unknown, livedMs: number): void {
    this.#run = undefined
    if (this.#lines.size === 0) return
    if (livedMs > healthyMs) this.#retryMs = this.#retryMsMin
    this.#log.error({ reason: reasonOf(failure), retryMs: this.#retryMs }, 'input thread failed')
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#start(true)
    }, this.#retryMs)
    this.#retryMs = Math.min(this.#retryMs * 2, retryMsMax)
  }

  #resync(): void {
    for (const line of this.#lines.values()) {
      try {
        line.resync()
      } catch (error) {
        this.#log.error({ reason: reasonOf(error) }, 'input level not read')
      }
    }
  }
}

function newPromise(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
