// The package has no types; this is the part that we use.
declare module 'aedes-persistence-level/asyncPersistence.js' {
  import type { Readable } from 'node:stream'
  import type { ClassicLevel } from 'classic-level'

  interface StoredPacket {
    readonly topic: string
    readonly payload: Buffer
    readonly qos: number
    readonly retain?: boolean
    readonly clientId?: string
  }

  /** All that aedes asks of what it waits for. */
  interface Thenable {
    then(fulfil: () => void, reject?: (reason: unknown) => void): unknown
  }

  export default class AsyncLevelPersistence {
    constructor(db: ClassicLevel<string, Buffer>)
    setup(broker: unknown): Promise<void>
    cleanIncoming(client: { readonly id: string }): Promise<void>
    storeRetained(packet: StoredPacket): Thenable
    outgoingEnqueue(subscription: { readonly clientId: string }, packet: StoredPacket): Promise<void>
    outgoingEnqueueCombi(
      subscriptions: readonly { readonly clientId: string }[],
      packet: StoredPacket,
    ): Promise<unknown>
    outgoingUpdate(client: { readonly id: string }, packet: StoredPacket): Promise<void>
    outgoingClearMessageId(
      client: { readonly id: string },
      packet: StoredPacket,
    ): Promise<StoredPacket | undefined>
    createRetainedStream(filter: string): Readable
    createRetainedStreamCombi(filters: readonly string[]): Readable
  }
}
