// Messages as fast as the broker takes them: each publisher writes on when its last piece is with the kernel, its
// window has room, and not too many messages are on their way to the subscribers.
import { setTimeout as sleep } from 'node:timers/promises'

/** Bytes of one write. */
const pieceBytes = 64 * 1_024
/** Without any progress for so long the run is over, and what is missing is lost. */
const stallMs = 5_000

export class Pipe {
  #lanes
  #fan
  #airMax
  #isWindowed
  #sent = 0
  #delivered = 0
  #toSend = 0
  #isAirShort = false
  #done

  /**
   * @param publishers [{ client, batch, qos }]
   * @param receivers clients
   * @param fan how many receivers get one message; 0 when nobody does, and acknowledgements tell the end
   * @param window of messages of one publisher that are not acknowledged. With QoS 0 those that one receiver has not
   *   got yet; their payloads must then begin with the publisher's number, three digits
   * @param airMax messages that are sent and not yet delivered, all publishers together
   */
  constructor({ publishers, receivers, fan = 1, window, airMax = 16_384 }) {
    this.#fan = fan
    this.#airMax = airMax
    this.#isWindowed = window !== undefined || publishers[0].qos > 0
    this.#lanes = publishers.map(({ client, batch, qos }) => {
      const lane = this.#lane(
        client,
        batch,
        Math.min(window ?? batch.count, batch.count),
        airMax / publishers.length,
      )
      if (qos > 0)
        client.onRead = (_, acknowledged) => {
          lane.underWay -= acknowledged
          this.#pump(lane)
          this.#settle()
        }
      return lane
    })
    for (const receiver of receivers) receiver.onRead = (messages) => this.#receive(messages)
    if (window !== undefined && publishers[0].qos === 0)
      receivers[0].onMessage = (bytes, at) => this.#returned(bytes, at)
  }

  /** Sends so many messages, the publishers' shares being equal. @returns as `counts` */
  async run(messages) {
    const share = Math.ceil(messages / this.#lanes.length)
    this.#toSend = share * this.#lanes.length
    this.#sent = 0
    this.#delivered = 0
    const done = new Promise((resolve) => {
      this.#done = resolve
    })
    for (const lane of this.#lanes) lane.left = share
    for (const lane of this.#lanes) this.#pump(lane)
    const watching = new AbortController()
    await Promise.race([done, this.#stalled(watching.signal)])
    watching.abort()
    return this.counts()
  }

  /** They go on after `run`: what comes twice shows. */
  counts() {
    const underWay = this.#lanes.reduce((sum, lane) => sum + lane.underWay, 0)
    return {
      sent: this.#sent,
      expected: this.#toSend * this.#fan,
      delivered: this.#delivered,
      unacknowledged: this.#isWindowed ? underWay : 0,
    }
  }

  #lane(client, batch, room, airShare) {
    const pieceMax = Math.max(1, Math.floor(pieceBytes / batch.size))
    // small pieces would come of small gaps, and never grow again
    const pieceMin = Math.max(1, Math.floor(Math.min(pieceMax, room / 4, airShare / 4)))
    const lane = { client, batch, room, pieceMax, pieceMin, next: 0, left: 0, underWay: 0, isWriting: false }
    lane.written = () => {
      lane.isWriting = false
      this.#pump(lane)
    }
    return lane
  }

  #pump(lane) {
    if (lane.isWriting || lane.left === 0) return
    let count = Math.min(lane.left, lane.pieceMax, lane.batch.count - lane.next)
    const wanted = Math.min(count, lane.pieceMin)
    if (this.#isWindowed) count = Math.min(count, lane.room - lane.underWay)
    if (this.#fan > 0) {
      const air = Math.floor(this.#airMax - (this.#sent - this.#delivered / this.#fan))
      if (air < wanted) this.#isAirShort = true
      count = Math.min(count, air)
    }
    if (count < wanted) return
    const { bytes, size } = lane.batch
    const piece = bytes.subarray(lane.next * size, (lane.next + count) * size)
    lane.next = (lane.next + count) % lane.batch.count
    lane.left -= count
    if (this.#isWindowed) lane.underWay += count
    this.#sent += count
    lane.isWriting = true
    lane.client.socket.write(piece, lane.written)
  }

  #receive(messages) {
    this.#delivered += messages
    if (this.#isAirShort) {
      this.#isAirShort = false
      for (const lane of this.#lanes) this.#pump(lane)
    }
    this.#settle()
  }

  #returned(bytes, at) {
    const lane = this.#lanes[(bytes[at] - 48) * 100 + (bytes[at + 1] - 48) * 10 + (bytes[at + 2] - 48)]
    lane.underWay--
    this.#pump(lane)
  }

  #settle() {
    if (this.#sent < this.#toSend || this.#delivered < this.#toSend * this.#fan) return
    if (this.#isWindowed) for (const lane of this.#lanes) if (lane.underWay > 0) return
    this.#done?.()
  }

  async #stalled(signal) {
    for (let before = ''; ; ) {
      await sleep(stallMs, undefined, { signal }).catch(() => {})
      const now = JSON.stringify(this.counts())
      if (signal.aborted || now === before) return
      before = now
    }
  }
}
