/**
 * What has gone over one connection, or over all of them, in plain fields: they are counted for each message. Bytes of
 * PUBLISH are those of payloads.
 */
export class Traffic {
  bytesReceived = 0
  /** Of every kind. */
  packetsReceived = 0
  publishesReceived = 0
  publishBytesReceived = 0
  bytesSent = 0
  packetsSent = 0
  publishesSent = 0
  publishBytesSent = 0

  add(other: Traffic): void {
    this.bytesReceived += other.bytesReceived
    this.packetsReceived += other.packetsReceived
    this.publishesReceived += other.publishesReceived
    this.publishBytesReceived += other.publishBytesReceived
    this.bytesSent += other.bytesSent
    this.packetsSent += other.packetsSent
    this.publishesSent += other.publishesSent
    this.publishBytesSent += other.publishBytesSent
  }
}

/** A mean is of about so long a time, the latest counting most. */
const smoothingS = 10

/** How much goes over a connection in a second, smoothed. */
export class TrafficRates {
  messagesReceived = 0
  bytesReceived = 0
  messagesSent = 0
  bytesSent = 0
  #ageS = 0
  #atMs: number
  readonly #before = new Traffic()

  constructor(nowMs: number) {
    this.#atMs = nowMs
  }

  /** Takes note of what has gone since it was called last. */
  sample(traffic: Traffic, nowMs: number): void {
    const seconds = (nowMs - this.#atMs) / 1_000
    if (seconds <= 0) return
    this.#atMs = nowMs
    this.#ageS += seconds
    // at first the mean since it began
    const weight = Math.max(1 - Math.exp(-seconds / smoothingS), seconds / this.#ageS)
    const before = this.#before
    const next = (rate: number, now: number, then: number): number =>
      rate + weight * ((now - then) / seconds - rate)
    this.messagesReceived = next(this.messagesReceived, traffic.publishesReceived, before.publishesReceived)
    this.bytesReceived = next(this.bytesReceived, traffic.bytesReceived, before.bytesReceived)
    this.messagesSent = next(this.messagesSent, traffic.publishesSent, before.publishesSent)
    this.bytesSent = next(this.bytesSent, traffic.bytesSent, before.bytesSent)
    before.publishesReceived = traffic.publishesReceived
    before.bytesReceived = traffic.bytesReceived
    before.publishesSent = traffic.publishesSent
    before.bytesSent = traffic.bytesSent
  }
}
