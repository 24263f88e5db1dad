const idMax = 65_535

/**
 * Packet identifiers that go on from one connection to the next, so that a message which is sent again
 * has the one that it had [MQTT-4.4.0-1], and no other one takes it meanwhile. In the shape that MQTT.js asks for.
 */
export class PacketIds {
  #next = 1
  #last = 0
  #again: number | undefined

  /** Runs `send`; the message that it sends gets this id, which it had before. */
  again(id: number, send: () => void): void {
    this.#again = id
    send()
    this.#again = undefined
  }

  allocate(): number {
    this.#last = this.#again ?? this.#next
    if (this.#again === undefined) this.#next = (this.#next % idMax) + 1
    this.#again = undefined
    return this.#last
  }

  getLastAllocated(): number {
    return this.#last
  }

  register(): boolean {
    return true
  }

  deallocate(): void {}

  clear(): void {}
}
