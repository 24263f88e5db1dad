/**
 * Answers to one client that wait for the store, in the order of their causes: one with nothing to store does not
 * overtake one that waits [MQTT-4.6.0-2].
 */
export class HeldAnswers {
  /** Batch and packet, by turns; an acknowledgement is a number, so that thousands cost little. */
  #entries: (number | Uint8Array)[] = []
  #head = 0
  #finals = 0
  #messages = 0

  get count(): number {
    return (this.#entries.length - this.#head) / 2
  }

  /** Those among them that end a message of the client's, and give it back a place in its window [MQTT-3.3.4-7]. */
  get finals(): number {
    return this.#finals
  }

  /** Whether PUBACK or PUBREC is among them. */
  get hasMessages(): boolean {
    return this.#messages > 0
  }

  push(batch: number, answer: number | Uint8Array): void {
    this.#entries.push(batch, answer)
    if (isFinal(answer)) this.#finals++
    if (isOfMessage(answer)) this.#messages++
  }

  /** Takes out the answers to messages, PUBACK and PUBREC, with the batches that they wait for, in their order. */
  takeMessages(): { readonly batch: number; readonly answer: number }[] {
    const taken: { batch: number; answer: number }[] = []
    const rest: (number | Uint8Array)[] = []
    for (let at = this.#head; at < this.#entries.length; at += 2) {
      const batch = this.#entries[at] as number
      const answer = this.#entries[at + 1] as number | Uint8Array
      if (typeof answer !== 'number' || !isOfMessage(answer)) rest.push(batch, answer)
      else {
        taken.push({ batch, answer })
        if (isFinal(answer)) this.#finals--
      }
    }
    this.#entries = rest
    this.#head = 0
    this.#messages = 0
    return taken
  }

  /** The next answer whose batch is kept; undefined when there is none. */
  next(kept: number): number | Uint8Array | undefined {
    const entries = this.#entries
    if (this.#head === entries.length || (entries[this.#head] as number) > kept) return undefined
    const answer = entries[this.#head + 1] as number | Uint8Array
    if (isFinal(answer)) this.#finals--
    if (isOfMessage(answer)) this.#messages--
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

function isOfMessage(answer: number | Uint8Array): boolean {
  const first = typeof answer === 'number' ? answer >>> 24 : 0
  return first === 0x40 || first === 0x50
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP as one number: the first byte, the identifier, the reason code. */
export function packAck(first: number, packetId: number, reasonCode: number): number {
  return first * 0x100_0000 + packetId * 0x100 + reasonCode
}

export function unpackAck(answer: number): [first: number, packetId: number, reasonCode: number] {
  return [Math.floor(answer / 0x100_0000), (answer >>> 8) & 0xffff, answer & 0xff]
}
