import { Worker } from 'node:worker_threads'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { assertMachineCode } from '../core/machine-code.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import type { Row } from './store-file.ts'
import type { RowProblem, ThreadReport, ThreadRequest, ThreadSetup } from './store-messages.ts'

/** One life of the thread. */
interface Run {
  readonly worker: Worker
  readonly ready: Promise<void>
  readonly ended: Promise<void>
  /** How the call that is made ends; undefined while none is. */
  call: Call | undefined
}

interface Call {
  readonly resolve: (report: ThreadReport) => void
  readonly reject: (error: Error) => void
}

/**
 * Writes rows in a thread of its own, so that a slow disk holds up nobody but those who wait for their row. One call at a
 * time. A thread that fails is started again by the first write after a pause; until then rows are refused.
 */
export class StoreThread {
  readonly #setup: ThreadSetup
  readonly #log: Logger
  readonly #repeats = new Repeats()
  #run: Run | undefined
  #failure: { readonly reason: string; readonly atMs: number } | undefined

  constructor(dataDir: string, log: Logger) {
    this.#setup = { dataDir }
    this.#log = log
  }

  /** @throws DamselflyError `STORE_FAILED` */
  async start(): Promise<void> {
    assertMachineCode('libsql')
    this.#run ??= this.#begin()
    await this.#run.ready
  }

  /** @returns for each row why it was not written, or undefined; never rejects */
  async write(rows: readonly Row[]): Promise<readonly (RowProblem | undefined)[]> {
    const failure = this.#failure
    if (failure !== undefined && performance.now() - failure.atMs < limits.storePauseMs) {
      const reason = `the thread that writes the database failed: ${failure.reason}`
      return rows.map(() => ({ reason, isBusy: false, limit: 'storePauseMs' }))
    }
    try {
      await this.start()
      const report = await this.#ask({ kind: 'write', rows })
      if (report.kind === 'written') return report.problems
      if (report.kind === 'failed') return rows.map(() => report.problem)
      throw new Error(`the thread said "${report.kind}"`)
    } catch (error) {
      const problem = { reason: reasonOf(error), isBusy: false }
      return rows.map(() => problem)
    }
  }

  /** Closes the file and ends the thread. */
  async close(): Promise<void> {
    const run = this.#run
    this.#run = undefined
    run?.worker.postMessage({ kind: 'close' } satisfies ThreadRequest)
    await run?.ended
  }

  #ask(request: ThreadRequest): Promise<ThreadReport> {
    return new Promise((resolve, reject) => {
      const run = this.#run
      if (run === undefined) return reject(new Error('the thread has ended'))
      run.call = { resolve, reject }
      run.worker.postMessage(request)
    })
  }

  /**
   * @NOTE libsql has Node write a report, to see which C library is here. Unless it is told to leave out the network, that
   * asks the name server for the name behind each connection, one after the other, and everything stands still meanwhile.
   */
  #begin(): Run {
    Object.assign(process.report ?? {}, { excludeNetwork: true })
    const worker = new Worker(new URL('./store-worker.js', import.meta.url), {
      workerData: this.#setup,
      resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 2 },
    })
    let failure: unknown = 'it ended by itself'
    worker.on('error', (error) => {
      failure = error
    })
    const ended = new Promise<void>((resolve) => worker.on('exit', () => resolve()))
    const ready = new Promise<void>((resolve, reject) => {
      worker.on('message', (report: ThreadReport) => {
        if (report.kind === 'ready') resolve()
        else if (report.kind === 'log') this.#log.error(report.fields, report.message)
        else takeCall(run)?.resolve(report)
      })
      void ended.then(() => {
        takeCall(run)?.reject(new Error('the thread that writes the database has ended'))
        if (this.#run === run) {
          this.#run = undefined
          this.#failed(reasonOf(failure))
        }
        const reason = `the database cannot be opened: ${reasonOf(failure)}`
        reject(new DamselflyError('STORE_FAILED', reason))
      })
    })
    ready.catch(() => {}) // who waits for it is told
    const run: Run = { worker, ready, ended, call: undefined }
    return run
  }

  #failed(reason: string): void {
    this.#failure = { reason, atMs: performance.now() }
    const repeats = this.#repeats.admit('failed')
    if (repeats !== undefined)
      this.#log.error({ reason, ...repeats }, 'the thread that writes the database failed')
  }
}

/** @NOTE the ends of a promise hold the scope that they were made in, here the rows: the run forgets them. */
function takeCall(run: Run): Call | undefined {
  const { call } = run
  run.call = undefined
  return call
}
