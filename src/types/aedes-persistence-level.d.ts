// The package has no types; this is the part that we use.
declare module 'aedes-persistence-level/asyncPersistence.js' {
  import type { ClassicLevel } from 'classic-level'

  export default class AsyncLevelPersistence {
    constructor(db: ClassicLevel<string, Buffer>)
    createRetainedStream(
      filter: string,
    ): AsyncIterable<{ topic: string; payload: Buffer; qos: number; clientId?: string }>
  }
}
