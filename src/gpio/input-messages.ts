/** What the process and its input worker say to each other. */
import type { LineEvent } from './uapi.ts'

/** To the worker: these are all the descriptors to watch from now on. An empty list ends the worker. */
export interface WatchRequest {
  readonly generation: number
  readonly fds: readonly number[]
}

export interface WorkerSetup {
  readonly first: WatchRequest
  /** One number, shared: the edges that were posted and not yet taken. */
  readonly waiting: Int32Array
  readonly edgesMax: number
}

export type WorkerReport =
  /** The worker looks at the request's descriptors and at no other. */
  | { readonly kind: 'watching'; readonly generation: number }
  /** Edges in their order. */
  | { readonly kind: 'edges'; readonly edges: readonly Edge[] }
  /** So many edges were thrown away, for too many were waiting. */
  | { readonly kind: 'dropped'; readonly count: number }
  /** A descriptor that will never give an edge again: the chip has gone. */
  | { readonly kind: 'broken'; readonly fd: number; readonly reason: string }

export interface Edge extends LineEvent {
  readonly fd: number
}
