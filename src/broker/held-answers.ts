/**
 * Answers to one client that wait for the store, in the order of their causes: one with nothing to store does not
 * overtake one that waits [MQTT-4.6.0-2].
 */
export class HeldAnswers {
  /** Batch and packet, by turns; an acknowledgement is a number, so that thousands cost little. */
  #entries: (number | Uint8Array)[] = []
  #head = 0
  #finals = 0

  get count(): number {
    return (this.#entries.length - this.#head) / 2
  }

  /** Those among them that end a message of the client's, and give it back a place in its window [MQTT-3.3.4-7]. */
  get finals(): number {
    return this.#finals
  }

  push(batch: number, answer: number | Uint8Array): void {
    this.#entries.push(batch, answer)
    if (isFinal(answer)) this.#finals++
  }

  /** The next answer whose batch is kept; undefined when there is none. */
  next(kept: number): number | Uint8Array | undefined {
    const entries = this.#entries
    if (this.#head === entries.length || (entries[this.#head] as number) > kept) return undefined
    const answer = entries[this.#head + 1] as number | Uint8Array
    if (isFinal(answer)) this.#finals--
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

/** PUBACK, PUBREC with an error, or PUBCOMP without one: that answers what was no message. */
function isFinal(answer: number | Uint8Array): boolean {
  if (typeof answer !== 'number') return false
  const first = answer >>> 24
  const isError = (answer & 0xff) >= 0x80
  return first === 0x40 || (first === 0x50 && isError) || (first === 0x70 && !isError)
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP as one number: the first byte, the identifier, the reason code. */
export function packAck(first: number, packetId: number, reasonCode: number): number {
  return first * 0x100_0000 + packetId * 0x100 + reasonCode
}
