/** Where the HTTP server listens. */
export interface HttpPlace {
  /** An address of this machine; `::` for all of them, of both families where there are both. */
  readonly address: string
  readonly port: number
}
