/** The thread that writes the database: SQLite blocks, and a disk may take seconds for a sync. */
import { parentPort, workerData } from 'node:worker_threads'
import libsql from 'libsql'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { isBusy, StoreFile } from './store-file.ts'
import type { RowProblem, ThreadReport, ThreadRequest, ThreadSetup } from './store-messages.ts'

const { dataDir } = workerData as ThreadSetup
const say = (report: ThreadReport): void => parentPort?.postMessage(report)
const silent = (): void => {}
const log: Logger = {
  debug: silent,
  info: silent,
  warn: silent,
  error: (fields, message) => say({ kind: 'log', fields, message }),
}
const file = new StoreFile(dataDir, libsql, log)

parentPort?.on('message', (request: ThreadRequest) => {
  if (request.kind === 'close') {
    file.close()
    parentPort?.close()
    return
  }
  try {
    const problems = file
      .write(request.rows)
      .map((error) => (error === undefined ? undefined : problemOf(error)))
    say({ kind: 'written', problems })
  } catch (error) {
    say({ kind: 'failed', problem: problemOf(error) })
  }
})
say({ kind: 'ready' })

function problemOf(error: unknown): RowProblem {
  const limit = error instanceof DamselflyError ? error.limit : undefined
  return { reason: reasonOf(error), isBusy: isBusy(error), limit }
}
