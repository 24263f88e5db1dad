import type { Writable } from 'node:stream'
import { limits } from '../core/limits.ts'
import type { MemoryBudget } from './memory-budget.ts'
import { releaseSlab, slabBytesMax, takeSlab } from './slabs.ts'
import { Traffic } from './traffic.ts'

/**
 * The bytes on their way to one client. Everything written within a turn of the event loop goes into one slab, and the
 * slab into one write at the end of the turn. There is one write outstanding at most: while the kernel is behind, the
 * slab goes on filling, and the next write takes all of it. Idle, it holds no memory.
 */
export class Output {
  /** The slab to write into; only valid until the next `reserve`. */
  bytes: Uint8Array = noBytes
  readonly #stream: Writable
  readonly #budget: MemoryBudget
  /** Called when what was written has been taken by the kernel, and there may be room for more. */
  readonly #onDrain: () => void
  readonly #traffic: Traffic
  /** Bytes of the slab that are used. */
  #used = 0
  /** What goes before the slab: full slabs, and payloads by reference. */
  #segments: Uint8Array[] | undefined
  #segmentBytes = 0
  /** The slabs among the segments, whole: payloads are not ours to use again. */
  #segmentSlabs: Uint8Array[] | undefined
  /** The payloads among them. */
  #payloads: Uint8Array[] | undefined
  #payloadBytes = 0
  /** The slabs of a write whose end has not been told yet. */
  #writing: Uint8Array | readonly Uint8Array[] | undefined
  #writingPayloads: readonly Uint8Array[] | undefined
  #writingPayloadBytes = 0
  /** Writes that were seen to be taken at once, and whose end is still to be told. */
  #toldBefore = 0
  #isDirty = false
  #isRoomWanted = false
  #isEnding = false
  /** Whether the end of every write is told in a later turn, however fast the client reads: TLS, WebSocket. */
  readonly #isDelayed: boolean
  readonly #onOverdue: () => void
  #isOverdue = false
  #overdueTimer: NodeJS.Timeout | undefined
  /** How many writes were taken. */
  #taking = 0
  /** Bytes that the budget knows of, but for payloads, which are charged once for all connections. */
  #charged = 0

  /**
   * @param traffic counts what is written
   * @param delayed for a stream that tells the end of every write in a later turn; its `onOverdue` is called when the
   *   client that `watch` was called for has not taken what it was given in time
   */
  constructor(
    stream: Writable,
    budget: MemoryBudget,
    onDrain: () => void,
    traffic: Traffic = new Traffic(),
    delayed?: { readonly onOverdue: () => void },
  ) {
    this.#stream = stream
    this.#budget = budget
    this.#onDrain = onDrain
    this.#traffic = traffic
    this.#isDelayed = delayed !== undefined
    this.#onOverdue = delayed?.onOverdue ?? (() => {})
  }

  /** Bytes that wait to be taken by the kernel. */
  get waiting(): number {
    return this.#used + this.#segmentBytes + (this.#writing === undefined ? 0 : this.#stream.writableLength)
  }

  /**
   * Whether the kernel has not taken what it was given: the client does not read as fast as it is sent to. Of a stream
   * that tells the end of a write later: whether that is overdue, or more waits than could be let wait until it is told.
   */
  get isBehind(): boolean {
    if (this.#writing === undefined) return false
    return !this.#isDelayed || this.#isOverdue || this.waiting > 2 * limits.outputBytesMax
  }

  /** More waits than may wait for long: tells with `onOverdue` if nothing of it is taken soon. */
  watch(): void {
    if (!this.#isDelayed || this.#overdueTimer !== undefined || this.#writing === undefined) return
    const before = this.#taking
    const look = (): void => {
      this.#overdueTimer = undefined
      if (this.#writing === undefined || this.#taking !== before) return
      this.#isOverdue = true
      this.#onOverdue()
    }
    // the loop may have been busy all that time: the end of the write has two turns more to be told
    const lookLater = (): unknown => setImmediate(() => setImmediate(look))
    this.#overdueTimer = setTimeout(lookLater, overdueMs).unref()
  }

  /** Whether more may be written that can wait. If not, `onDrain` is called when there is room again. */
  get hasRoom(): boolean {
    if (this.waiting < limits.outputBytesMax / 2) return true
    this.#isRoomWanted = true
    return false
  }

  /** Makes room in `bytes` for so many bytes of a packet, for its head at least. @returns where they begin */
  reserve(count: number): number {
    this.#traffic.packetsSent++
    if (this.#used + count > this.bytes.length) this.#grow(count)
    if (!this.#isDirty) this.#markDirty()
    const at = this.#used
    this.#used = at + count
    return at
  }

  /** Writes bytes that nobody will change, without copying them. */
  writeShared(shared: Uint8Array): void {
    this.#pushSlab()
    this.#segments ??= []
    this.#segments.push(shared)
    this.#segmentBytes += shared.length
    this.#payloads ??= []
    this.#payloads.push(shared)
    this.#payloadBytes += shared.length
    this.#budget.hold(shared)
    if (!this.#isDirty) this.#markDirty()
  }

  write(packet: Uint8Array): void {
    const at = this.reserve(packet.length)
    this.bytes.set(packet, at)
  }

  /** Hands all to the kernel that it takes now. */
  flush(): void {
    this.#isDirty = false
    const stream = this.#stream
    if (this.#writing !== undefined) return this.#charge() // its end comes back here
    if (stream.destroyed || stream.writableEnded) return this.discard()
    if (this.#segments === undefined) {
      if (this.#used === 0) return
      const slab = this.bytes
      const used = this.#used
      this.bytes = noBytes
      this.#used = 0
      this.#writing = slab
      this.#traffic.bytesSent += used
      stream.write(used === slab.length ? slab : slab.subarray(0, used), this.#written)
    } else {
      this.#pushSlab()
      const segments = this.#segments
      this.#traffic.bytesSent += this.#segmentBytes
      this.#segments = undefined
      this.#segmentBytes = 0
      this.#writing = this.#segmentSlabs ?? []
      this.#segmentSlabs = undefined
      this.#writingPayloads = this.#payloads
      this.#writingPayloadBytes = this.#payloadBytes
      this.#payloads = undefined
      this.#payloadBytes = 0
      stream.cork()
      const last = segments.length - 1
      for (let index = 0; index < last; index++) stream.write(segments[index])
      stream.write(segments[last], this.#written)
      stream.uncork()
    }
    // most often the kernel has taken it already, and the slab can serve the next connection of this turn
    if (stream.writableLength === 0) {
      this.#toldBefore++
      this.#taken()
    } else this.#charge()
  }

  /** Ends the stream when all that was written has gone; nothing can be written any more. */
  end(): void {
    this.#isEnding = true
    this.flush()
    if (this.#writing === undefined) this.#stream.end()
  }

  /** Gives everything back: the connection is gone. */
  discard(): void {
    if (this.bytes !== noBytes) releaseSlab(this.bytes)
    this.bytes = noBytes
    this.#used = 0
    this.#segments = undefined
    this.#segmentBytes = 0
    this.#segmentSlabs = undefined
    this.#writing = undefined
    this.#dropPayloads(this.#payloads)
    this.#payloads = undefined
    this.#payloadBytes = 0
    this.#dropWritten()
    this.#charge()
  }

  #grow(count: number): void {
    const slab = this.bytes
    const used = this.#used
    if (used + count <= slabBytesMax) {
      const larger = takeSlab(used + count)
      if (used > 0) larger.set(slab.subarray(0, used))
      if (slab !== noBytes) releaseSlab(slab)
      this.bytes = larger
      return
    }
    // a slab's worth need not wait for the end of the turn
    if (this.#writing === undefined && used + this.#segmentBytes >= slabBytesMax / 2) this.flush()
    this.#pushSlab()
    this.bytes = takeSlab(count)
    if (this.#writing !== undefined) this.#charge()
  }

  /** Moves the slab to the segments; what goes before it has its turn before it. */
  #pushSlab(): void {
    if (this.#used === 0) return
    this.#segments ??= []
    this.#segments.push(this.#used === this.bytes.length ? this.bytes : this.bytes.subarray(0, this.#used))
    this.#segmentBytes += this.#used
    this.#segmentSlabs ??= []
    this.#segmentSlabs.push(this.bytes)
    this.bytes = noBytes
    this.#used = 0
  }

  readonly #written = (): void => {
    // the end of a write that was taken at once is told later, when the next one may be outstanding already
    if (this.#toldBefore > 0) return void this.#toldBefore--
    if (this.#writing === undefined) return
    this.#taken()
    if (this.#used > 0 || this.#segments !== undefined) this.flush()
    if (this.#isEnding && this.#writing === undefined && !this.#stream.writableEnded) this.#stream.end()
  }

  #taken(): void {
    const slabs = this.#writing
    this.#writing = undefined
    this.#isOverdue = false
    this.#taking++
    if (slabs instanceof Uint8Array) releaseSlab(slabs)
    else if (slabs !== undefined) for (const slab of slabs) releaseSlab(slab)
    this.#dropWritten()
    if (this.#charged > 0) this.#charge()
    if (!this.#isRoomWanted) return
    this.#isRoomWanted = false
    this.#onDrain()
  }

  #dropWritten(): void {
    this.#dropPayloads(this.#writingPayloads)
    this.#writingPayloads = undefined
    this.#writingPayloadBytes = 0
  }

  #dropPayloads(payloads: readonly Uint8Array[] | undefined): void {
    if (payloads !== undefined) for (const payload of payloads) this.#budget.drop(payload)
  }

  #markDirty(): void {
    this.#isDirty = true
    flushLater(this)
  }

  /** Only what stays beyond its turn is charged: the rest is gone before anybody looks. */
  #charge(): void {
    const waiting = Math.max(0, this.waiting - this.#payloadBytes - this.#writingPayloadBytes)
    if (waiting === this.#charged) return
    this.#budget.add(waiting - this.#charged)
    this.#charged = waiting
  }
}

const noBytes = new Uint8Array(0)

/** How long a client over TLS or WebSocket may take nothing while more waits for it than may. */
const overdueMs = 500

let dirty: Output[] = []
let spare: Output[] = []
let isArmed = false

/**
 * All connections that were written to are flushed together, after one more look at the sockets: what comes meanwhile goes
 * with the same writes. A look costs little, a write much.
 */
function flushLater(output: Output): void {
  dirty.push(output)
  if (isArmed) return
  isArmed = true
  setImmediate(lookAgain)
}

function lookAgain(): void {
  setImmediate(flushAll)
}

function flushAll(): void {
  isArmed = false
  const due = dirty
  dirty = spare
  spare = due
  for (let index = 0; index < due.length; index++) (due[index] as Output).flush()
  due.length = 0
}
