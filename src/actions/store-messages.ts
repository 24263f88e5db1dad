/** What the process and the thread that writes the database say to each other. */
import type { LimitName } from '../core/limits.ts'
import type { Row } from './store-file.ts'

export interface ThreadSetup {
  readonly dataDir: string
}

/** To the thread, one at a time. */
export type ThreadRequest =
  | { readonly kind: 'write'; readonly rows: readonly Row[] }
  /** The last one: the thread ends. */
  | { readonly kind: 'close' }

export type ThreadReport =
  /** Rows may come. */
  | { readonly kind: 'ready' }
  /** What kept each row from being written, in the order of the request. */
  | { readonly kind: 'written'; readonly problems: readonly (RowProblem | undefined)[] }
  /** No row was written. */
  | { readonly kind: 'failed'; readonly problem: RowProblem }
  /** A line for the log. */
  | { readonly kind: 'log'; readonly fields: object; readonly message: string }

/** Why a row was not written. */
export interface RowProblem {
  readonly reason: string
  /** Another program holds the file just now: it may be tried again. */
  readonly isBusy: boolean
  /** The bound that was reached. */
  readonly limit?: LimitName | undefined
}
