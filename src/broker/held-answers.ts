/**
 * Answers to one client that wait for the store, in the order of their causes: one with nothing to store does not
 * overtake one that waits [MQTT-4.6.0-2].
 */
export class HeldAnswers {
  /** Batch and packet, by turns; an acknowledgement is a number, so that thousands cost little. */
  #entries: (number | Uint8Array)[] = []
  #head = 0

  get count(): number {
    return (this.#entries.length - this.#head) / 2
  }

  /** The batch that the last one waits for. */
  get lastBatch(): number {
    return this.#entries[this.#entries.length - 2] as number
  }

  push(batch: number, answer: number | Uint8Array): void {
    this.#entries.push(batch, answer)
  }

  /** The next answer whose batch is kept; undefined when there is none. */
  next(kept: number): number | Uint8Array | undefined {
    const entries = this.#entries
    if (this.#head === entries.length || (entries[this.#head] as number) > kept) return undefined
    const answer = entries[this.#head + 1]
    this.#head += 2
    if (this.#head === entries.length) {
      entries.length = 0
      this.#head = 0
    } else if (this.#head > 2_048 && this.#head * 2 > entries.length) {
      entries.splice(0, this.#head)
      this.#head = 0
    }
    return answer
  }
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP as one number: the first byte, the identifier, the reason code. */
export function packAck(first: number, packetId: number, reasonCode: number): number {
  return first * 0x100_0000 + packetId * 0x100 + reasonCode
}
