const remembered = 64

/**
 * What this process has sent to everybody: it comes back to it, from the same address and port as what avahi-daemon on
 * this machine says.
 */
export class SentPackets {
  #packets: Buffer[] = []

  add(bytes: Buffer): void {
    this.#packets.push(bytes)
    if (this.#packets.length > remembered) this.#packets.shift()
  }

  has(bytes: Buffer): boolean {
    return this.#packets.some((one) => one.equals(bytes))
  }
}
