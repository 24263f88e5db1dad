import type { Duplex } from 'node:stream'
import { limitFields } from '../core/limit-keys.ts'
import { type LimitName, limits } from '../core/limits.ts'
import type { QoS } from '../core/message.ts'
import { steadyMs } from '../core/steady-clock.ts'
import type { ConnectionHouse } from './connection-house.ts'
import type { Guest } from './doorkeeper.ts'
import { FrameReader, type FrameTaker } from './frame-reader.ts'
import { HeldAnswers, packAck, unpackAck } from './held-answers.ts'
import { strangerOf } from './listening/stranger.ts'
import { MessageRate } from './message-rate.ts'
import { Output } from './output.ts'
import { handlePacket } from './packet-handlers.ts'
import type { Peer } from './peer.ts'
import type { Publication } from './publication.ts'
import { PublishReader } from './publish-reader.ts'
import type { Session, SessionClient } from './session.ts'
import { TopicAliases } from './topic-aliases.ts'
import { Traffic } from './traffic.ts'
import type { Connect, Will } from './wire/connect.ts'
import { encodeConnack, encodeDisconnect } from './wire/encode.ts'
import type { ProtocolLevel } from './wire/packet-types.ts'
import type { Properties } from './wire/properties.ts'
import { ConnectError, ProtocolError } from './wire/protocol-error.ts'
import { reasonCode, reasonName } from './wire/reason-codes.ts'

/** A packet that has come in part may stay, up to here, when memory is short. */
const partBytesMax = 16 * 1024

/** Bytes of a refusal to a client that did not say what it takes. */
const refusalBytesMax = 1_024

/** Up to here a packet is copied byte by byte: a call costs more. */
const loopedBytesMax = 48

/** How long a client may take to read our last words. */
const lingerMs = 2_000

/** Why a connection is not read, as bits. */
export const pauseReason = { turn: 1, halt: 2, rate: 4, held: 8 } as const

/** What CONNECT settled. */
export interface Agreement {
  readonly guest: Guest
  readonly session: Session
  readonly level: ProtocolLevel
  readonly cleanStart: boolean
  /** MQTT 3.1.1: it has said that it is a bridge. */
  readonly isBridge: boolean
  readonly will: Will | undefined
  /** Seconds after which a silent client is taken for gone; 0 for never. */
  readonly keepAliveSeconds: number
  /** Messages of QoS 1 and 2 that the client takes before it answers. */
  readonly receiveMaximum: number
  /** Messages of QoS 2 and unanswered ones of QoS 1 that we said we take; MQTT 5 only. */
  readonly ourReceiveMaximum: number
  /** Bytes of a packet that the client takes. */
  readonly maximumPacketSize: number
  /** Topic aliases that the client takes. */
  readonly topicAliasMaximum: number
}

/** How a connection comes to its end. */
export interface Ending {
  /** What we tell a client of MQTT 5, unless it has gone. */
  readonly reasonCode?: number
  /** For the log, and the Reason String. */
  readonly reason: string
  /** The client took leave with DISCONNECT: no will. */
  readonly isRegular?: boolean
  /** The owner wants it so: the settings let it in no longer, or it was kicked. */
  readonly isRevoked?: boolean
}

/** Settles what CONNECT asks for, now or later: with `agree` and `ready`, or with `refuse`. */
export type OnConnect = (connection: Connection, connect: Connect) => void

/**
 * One client's connection: its packets on one side, its session on the other. It reads no faster than its turn
 * allows, and writes once a turn. Whatever goes wrong with it ends it, and nothing else.
 */
export class Connection implements SessionClient, FrameTaker {
  /** Whether we have made it: then it is a bridge's, and the server is at its other end. */
  readonly isOutgoing: boolean = false
  readonly peer: Peer
  level: ProtocolLevel | 0 = 0
  readonly output: Output
  readonly traffic = new Traffic()
  /** When it was let in, ms since 1970. */
  connectedAtMs = 0
  readonly house: ConnectionHouse
  /** Answers its first packet. */
  readonly onConnect: OnConnect
  readonly #stream: Duplex
  readonly #reader = new FrameReader(this)
  #publishReader: PublishReader | undefined
  #agreement: Agreement | undefined
  #aliases: TopicAliases | undefined
  #held: HeldAnswers | undefined
  #rate: MessageRate | undefined
  #isReady = false
  #hasSpoken = false
  #isHalted = false
  /** Why nothing more will come, while what has come waits for `proceed`. */
  #overReason: string | undefined
  /** Whether memory is short, and acknowledgements wait for that too. */
  #isWithheld = false
  #isClosed = false
  /** Why reading is paused, as bits. */
  #pauses = 0
  /** When a byte came last, or the connection before CONNECT. */
  #heardAtMs: number
  #turn = -1
  #turnBytes = 0
  /** Since `#takeTurn` looked last. */
  #messages = 0
  #chargedBytes = 0
  /** Bytes that wait below: see `holdBelow`. */
  #heldBelow = 0
  /** Likewise before CONNECT is accepted: not a matter of the budget. */
  #unansweredBytes = 0
  /** Of CONNECT while it waits. */
  #attendedBytes = 0

  /** @param sinceMs when it was accepted, by `performance.now`: CONNECT is due from then on */
  constructor(
    stream: Duplex,
    peer: Peer,
    house: ConnectionHouse,
    onConnect: OnConnect,
    sinceMs: number = performance.now(),
  ) {
    this.#heardAtMs = sinceMs
    this.#stream = stream
    this.peer = peer
    this.house = house
    this.onConnect = onConnect
    const isPlain = peer.transport === 'mqtt' || peer.transport === 'unix'
    this.output = new Output(
      stream,
      house.budget,
      () => this.#agreement?.session.pump(),
      this.traffic,
      isPlain ? undefined : { onOverdue: () => this.#checkOutput() },
    )
    stream.on('data', (chunk: Buffer) => this.#receive(chunk))
    stream.on('end', () => this.#over('the client closed the connection'))
    stream.on('close', () => this.#lost())
    stream.on('error', () => {}) // 'close' follows
  }

  get address(): string {
    return this.peer.address
  }

  get isReady(): boolean {
    return this.#isReady
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  get isV5(): boolean {
    return this.level === 5
  }

  get agreement(): Agreement | undefined {
    return this.#agreement
  }

  get session(): Session {
    return (this.#agreement as Agreement).session
  }

  get receiveMaximum(): number {
    return this.#agreement?.receiveMaximum ?? 0
  }

  get hasRoom(): boolean {
    return this.output.hasRoom
  }

  packetBytesMax(first: number): number {
    return limits[this.#boundOf(first)]
  }

  get isStrictLength(): boolean {
    return this.level === 5
  }

  get takesFrames(): boolean {
    return !this.#isHalted && !this.#isClosed
  }

  /** Messages of the client's whose last answer waits for the store. */
  get heldFinals(): number {
    return this.#held?.finals ?? 0
  }

  // --- what comes

  frame(bytes: Buffer, start: number, at: number, end: number, first: number): void {
    if (this.#agreement !== undefined && first >> 4 === 3) {
      this.#messages++
      ;(this.#publishReader as PublishReader).read(bytes, start, at, end, first)
    } else {
      this.traffic.packetsReceived++
      this.handle(bytes, at, end, first)
    }
  }

  /** The first byte that comes [MQTT-3.1.0-1]. */
  protected get opening(): number {
    return 0x10
  }

  /** Every packet but PUBLISH. @throws ProtocolError what ends the connection */
  protected handle(bytes: Buffer, at: number, end: number, first: number): void {
    handlePacket(this, bytes, at, end, first)
  }

  protected get heardAtMs(): number {
    return this.#heardAtMs
  }

  tooLarge(bytes: number, first: number): never {
    const bound = this.#boundOf(first)
    this.house.counters.add(bound)
    throw new ProtocolError(
      reasonCode.packetTooLarge,
      `packet is too large: ${bytes} bytes, of at most ${limits[bound]}`,
    )
  }

  /** The bound of a packet that begins with this byte. */
  #boundOf(first: number): 'connectPacketBytesMax' | 'controlPacketBytesMax' | 'packetBytesMax' {
    if (this.#agreement === undefined) return 'connectPacketBytesMax'
    if (first >> 4 === 3 || limits.packetBytesMax < limits.controlPacketBytesMax) return 'packetBytesMax'
    return 'controlPacketBytesMax'
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosed) return
    if (this.level === 0 && !this.#hasSpoken) {
      this.#hasSpoken = true
      if (chunk[0] !== this.opening) return this.refuseStranger(chunk)
    }
    if (this.#agreement !== undefined) this.#heardAtMs = performance.now()
    this.#work(chunk)
    if (this.#isHalted && this.#agreement === undefined && this.#reader.held > limits.connectPacketBytesMax) {
      this.turnAway('connectPacketBytesMax', 'too much came before CONNACK')
    }
    this.#takeTurn(chunk.length)
  }

  /** Nothing more will come. A client that did not wait for CONNACK is heard all the same, when it has been let in. */
  #over(reason: string): void {
    if (this.#isHalted && this.#agreement !== undefined) this.#overReason = reason
    else this.close({ reason })
  }

  #lost(): void {
    if (this.#isClosed) return this.output.discard() // our last words have not gone
    // @NOTE the stream of a connection that was reset does not tell what it has read while it was paused
    const rest: Buffer | null = this.#stream.read()
    if (rest !== null) this.#receive(rest)
    this.#over('the connection was lost')
  }

  #work(chunk: Buffer | undefined): void {
    try {
      if (chunk === undefined) this.#reader.resume()
      else this.#reader.push(chunk)
    } catch (error) {
      this.#fail(error)
    }
    this.house.pumpAll()
    this.#checkOutput() // who only asks and reads no answers is let go as well
    if (this.#reader.held + this.#heldBelow !== this.#chargedBytes + this.#unansweredBytes) this.#chargeHeld()
  }

  /** What carries the bytes holds so many that have come in part, a frame of a WebSocket; it may be called for any change. */
  holdBelow(bytes: number): void {
    if (this.#isClosed) return
    this.#heldBelow = bytes
    if (this.#agreement === undefined && bytes > limits.connectPacketBytesMax) {
      this.turnAway('connectPacketBytesMax', 'too much came before CONNECT')
    } else this.#chargeHeld()
  }

  /** After its share of bytes a connection waits until the others have had theirs. */
  #takeTurn(bytes: number): void {
    const turn = this.house.currentTurn()
    if (this.#turn !== turn) {
      this.#turn = turn
      this.#turnBytes = 0
    }
    this.#turnBytes += bytes
    const { traffic } = this
    traffic.bytesReceived += bytes
    traffic.packetsReceived += this.#messages
    traffic.publishesReceived += this.#messages
    if (this.#turnBytes > limits.turnBytesMax) {
      this.pause(pauseReason.turn)
      this.house.nextTurn(this)
    }
    if (limits.messageRateMax > 0 && this.#messages > 0 && !this.isOutgoing) {
      this.#rate ??= new MessageRate()
      const pauseMs = this.#rate.take(this.#messages, performance.now())
      if (pauseMs > 0) {
        this.house.counters.add('messageRateMax')
        this.pause(pauseReason.rate)
        setTimeout(() => this.resume(pauseReason.rate), pauseMs).unref()
      }
    }
    this.#messages = 0
  }

  /** Memory for packets that have come in part counts like all that waits. */
  #chargeHeld(): void {
    const all = this.#isClosed ? 0 : this.#reader.held + this.#heldBelow + this.#attendedBytes
    const held = this.#agreement === undefined ? 0 : all
    if (all - held !== this.#unansweredBytes) {
      this.#unansweredBytes = all - held
      this.house.holdUnanswered(this, all - held)
    }
    this.house.budget.add(held - this.#chargedBytes)
    this.#chargedBytes = held
    if (held > partBytesMax && this.house.budget.isPressing && !this.#isClosed) {
      this.house.counters.add('memoryBytesMax')
      this.close({ reasonCode: reasonCode.serverBusy, reason: 'no memory is left for a packet of this size' })
    }
  }

  pause(reason: number): void {
    if (this.#pauses === 0) this.#stream.pause()
    this.#pauses |= reason
  }

  resume(reason: number): void {
    if ((this.#pauses & reason) === 0) return
    this.#pauses &= ~reason
    if (this.#pauses !== 0 || this.#isClosed) return
    this.#heardAtMs = performance.now() // keep alive rests while we do not read
    this.#stream.resume()
  }

  /** Takes no more packets until `proceed`: the answer to CONNECT waits for something. */
  halt(): void {
    this.#isHalted = true
    this.pause(pauseReason.halt)
  }

  /**
   * Likewise, before CONNECT is accepted, and goes on reading within a bound: so it is seen when the client has gone.
   * @param bytes what its CONNECT holds meanwhile
   */
  attend(bytes = this.#attendedBytes): void {
    this.#isHalted = true
    this.#attendedBytes = bytes
    this.#chargeHeld()
  }

  proceed(): void {
    this.#isHalted = false
    if (this.#isClosed) return
    this.#work(undefined)
    if (this.#overReason === undefined) this.resume(pauseReason.halt)
    else this.close({ reason: this.#overReason })
  }

  /** Called twice a second: whether the client has been silent for too long [MQTT-3.1.2-24]. */
  checkTime(nowMs: number): void {
    const silentMs = nowMs - this.#heardAtMs
    if (this.#agreement === undefined) {
      if (silentMs < limits.connectTimeoutMs || this.#isHalted) return
      this.turnAway('connectTimeoutMs', 'no CONNECT came in time')
    } else if (
      this.#agreement.keepAliveSeconds > 0 &&
      this.#pauses === 0 &&
      silentMs > this.#agreement.keepAliveSeconds * 1_500
    )
      this.close({ reasonCode: reasonCode.keepAliveTimeout, reason: 'nothing came within its keep alive' })
  }

  // --- what goes

  /** CONNECT is accepted; `ready` follows. */
  agree(agreement: Agreement): void {
    this.#agreement = agreement
    this.#attendedBytes = 0
    this.connectedAtMs = Date.now()
    this.level = agreement.level
    this.#publishReader = this.makeReader()
    this.#chargeHeld()
    if (agreement.topicAliasMaximum > 0)
      this.#aliases = new TopicAliases(Math.min(agreement.topicAliasMaximum, limits.topicAliasesMax))
  }

  /** Sends CONNACK; from now on messages may follow. */
  ready(isSessionPresent: boolean, properties: Properties): void {
    this.output.write(
      encodeConnack(this.level as ProtocolLevel, {
        isSessionPresent,
        reasonCode: reasonCode.success,
        properties,
      }),
    )
    this.begin()
  }

  protected makeReader(): PublishReader {
    return new PublishReader(this, this.house)
  }

  protected begin(): void {
    this.#isReady = true
    this.session.pump()
  }

  send(
    publication: Publication,
    qos: QoS,
    flags: number,
    identifiers: readonly number[],
    packetId: number,
  ): boolean {
    const { maximumPacketSize } = this.#agreement as Agreement
    const isV5 = this.level === 5
    const isPlain = !isV5 || (identifiers.length === 0 && this.#aliases === undefined)
    if (isPlain && publication.expiresAtMs === 0) {
      const size = publication.frameSize(isV5, qos > 0)
      if (size > 0 && size <= loopedBytesMax && size <= maximumPacketSize) {
        const at = this.output.reserve(size)
        const { bytes } = this.output
        const idAt = at + publication.copyFrame(bytes, at)
        bytes[at] = 0x30 | (qos << 1) | flags
        if (qos > 0) {
          bytes[idAt] = packetId >> 8
          bytes[idAt + 1] = packetId
        }
        this.traffic.publishesSent++
        this.traffic.publishBytesSent += publication.payloadLength
        this.#checkOutput()
        return true
      }
    }
    return this.#sendForm(publication, qos, flags, identifiers, packetId, isPlain, maximumPacketSize)
  }

  #sendForm(
    publication: Publication,
    qos: QoS,
    flags: number,
    identifiers: readonly number[],
    packetId: number,
    isPlain: boolean,
    maximumPacketSize: number,
  ): boolean {
    let expirySeconds = 0
    if (publication.expiresAtMs !== 0) {
      expirySeconds = Math.ceil((publication.expiresAtMs - steadyMs()) / 1_000)
      const isFirst = (flags & 8) === 0 // one that was sent before it expired is sent again [MQTT-4.4.0-1]
      if (expirySeconds <= 0 && isFirst) return false // [MQTT-3.3.2-5]
      expirySeconds = Math.max(expirySeconds, 0)
    }
    const isV5 = this.level === 5
    const alias = isPlain ? undefined : this.#aliases?.aliasOf(publication.topic)
    const form = isPlain
      ? publication.form(isV5, qos > 0)
      : publication.formFor(qos > 0, identifiers, alias?.alias ?? 0, alias?.isKnown === true)
    const { bytes: head, payload } = form
    const size = head.length + (payload?.length ?? 0)
    if (size > maximumPacketSize) {
      if (alias?.isKnown === false) this.#aliases?.forget(publication.topic)
      return false // [MQTT-3.1.2-24], [MQTT-3.1.2-25]
    }
    const at = this.output.reserve(head.length)
    const { bytes } = this.output
    bytes.set(head, at)
    bytes[at] = 0x30 | (qos << 1) | flags
    if (qos > 0) {
      bytes[at + form.idAt] = packetId >> 8
      bytes[at + form.idAt + 1] = packetId
    }
    if (isV5 && form.expiryAt !== -1) lowerU32(bytes, at + form.expiryAt, expirySeconds) // [MQTT-3.3.2-6]
    if (payload !== undefined) this.output.writeShared(payload)
    this.traffic.publishesSent++
    this.traffic.publishBytesSent += publication.payloadLength
    this.#checkOutput()
    return true
  }

  /** A client that does not read what is sent to it is let go. */
  #checkOutput(): void {
    if (this.output.waiting <= limits.outputBytesMax || this.#isClosed) return
    // one packet may be larger than the bound: then it alone waits
    if (!this.output.isBehind) return this.output.watch()
    this.house.counters.add('outputBytesMax')
    this.close({
      reasonCode: reasonCode.quotaExceeded,
      reason: `it reads too slowly: ${this.output.waiting} bytes wait for it`,
    })
  }

  sendPubrel(packetId: number): void {
    this.#writeAck(0x62, packetId, 0)
  }

  /**
   * Sends PUBACK, PUBREC, PUBREL or PUBCOMP when what it promises is kept; `isRecorded`: something was written down for it.
   */
  acknowledge(first: number, packetId: number, code: number, isRecorded: boolean): void {
    const { ledger, budget } = this.house
    const mustWait = budget.isPressing && first <= 0x50 // PUBREL and PUBCOMP let memory go
    // while nothing can be kept, answers of other kinds may wait for long: a message is answered before them
    const isFirst = this.#held === undefined || (ledger.isBarred && first <= 0x50 && !this.#held.hasMessages)
    if (!isRecorded && isFirst && !mustWait) {
      this.#writeAck(first, packetId, code)
      return
    }
    if (mustWait && !this.#isWithheld) {
      this.#isWithheld = true
      this.house.withhold(this)
    }
    this.#hold(isRecorded ? ledger.open : 0, packAck(first, packetId, code))
  }

  /** Sends any other answer in its order. */
  answer(packet: Uint8Array, isRecorded: boolean): void {
    if (isRecorded || this.#held !== undefined) this.#hold(isRecorded ? this.house.ledger.open : 0, packet)
    else this.output.write(packet)
  }

  /** There is memory again, or the publisher has waited long enough. */
  relieve(): void {
    this.#isWithheld = false
    this.release()
  }

  /** Sends what waited for the store. */
  release(): void {
    if (!this.#isClosed && !this.#isWithheld) {
      if (this.#held !== undefined) this.#releaseHeld(this.#held)
      if ((this.#pauses & pauseReason.held) !== 0) this.#readOn()
    }
    if (this.#isReady) this.session.pump()
  }

  #releaseHeld(held: HeldAnswers): void {
    const { kept } = this.house.ledger
    for (let next = held.next(kept); next !== undefined; next = held.next(kept)) {
      if (typeof next === 'number') this.#writeAck(...unpackAck(next))
      else this.output.write(next)
    }
    if (held.count === 0) this.#held = undefined
    else this.house.wake(this)
  }

  /** Reads again, unless there is still no room for what would come. */
  #readOn(): void {
    const isFull = this.house.ledger.isFull || (this.#held?.count ?? 0) >= limits.heldAnswersMax
    if (isFull) this.house.wake(this)
    else this.resume(pauseReason.held)
  }

  /**
   * Nothing can be kept now: messages that wait for it are refused, where the version has a word for it. They may have been
   * delivered. A bridge waits: it has the message still, and would take a refusal for the end of it.
   */
  refuseHeld(): void {
    const held = this.#held
    if (held?.hasMessages !== true || !this.isV5 || this.isOutgoing || this.#isClosed) return
    const { ledger } = this.house
    for (const { batch, answer } of held.takeMessages()) {
      const [first, packetId, code] = unpackAck(answer)
      const isRefused = batch > ledger.kept && code < 0x80
      this.#writeAck(first, packetId, isRefused ? reasonCode.quotaExceeded : code)
      if (!isRefused) continue
      ledger.refused()
      if (first === 0x50) this.session.releaseReceived(packetId)
    }
    if (held.count === 0) this.#held = undefined
    if ((this.#pauses & pauseReason.held) !== 0) this.#readOn()
  }

  pumpWhenKept(): void {
    this.house.wake(this)
  }

  #hold(batch: number, answer: number | Uint8Array): void {
    this.#held ??= new HeldAnswers()
    this.#held.push(batch, answer)
    this.house.wake(this)
    if ((this.#pauses & pauseReason.held) !== 0) return
    const isTooMany = this.#held.count >= limits.heldAnswersMax
    // of MQTT 5 the next one is refused
    const isTooMuch = batch > 0 && (!this.isV5 || this.isOutgoing) && this.house.ledger.isFull
    if (!isTooMany && !isTooMuch) return
    this.house.counters.add(isTooMany ? 'heldAnswersMax' : 'unkeptBytesMax')
    this.pause(pauseReason.held)
  }

  #writeAck(first: number, packetId: number, code: number): void {
    const hasCode = this.level === 5 && code !== 0
    const at = this.output.reserve(hasCode ? 5 : 4)
    const { bytes } = this.output
    bytes[at] = first
    bytes[at + 1] = hasCode ? 3 : 2
    bytes[at + 2] = packetId >> 8
    bytes[at + 3] = packetId
    if (hasCode) bytes[at + 4] = code
  }

  // --- the end

  #fail(error: unknown): void {
    if (error instanceof ProtocolError && this.#agreement === undefined && !this.isOutgoing)
      this.house.refused(this, error)
    if (error instanceof ConnectError) {
      this.refuse(error.answerLevel, error.reasonCode, error.message)
    } else if (error instanceof ProtocolError) {
      this.close({ reasonCode: error.reasonCode, reason: error.message })
    } else {
      this.house.failed(this, error)
      this.close({ reasonCode: reasonCode.unspecifiedError, reason: 'an error of our own' })
    }
  }

  protected refuseStranger(chunk: Buffer): void {
    const { reason, remedy } = strangerOf(chunk, this.peer.transport, this.house.openListeners)
    this.house.counters.add('clients.refused')
    this.house.doorkeeper.logRefusal({ address: this.address, reason, remedy })
    this.close({ reason })
  }

  /** Answers CONNECT with a refusal, and closes. `level` 0: no protocol that we could answer in. */
  refuse(level: ProtocolLevel | 0, code: number, reason: string, maximumPacketSize = refusalBytesMax): void {
    if (this.#isClosed) return
    if (level !== 0) {
      const connack = { isSessionPresent: false, reasonCode: code }
      const properties = level === 5 ? { reasonString: reason } : {}
      const withReason = encodeConnack(level, { ...connack, properties })
      const isSmall = withReason.length <= maximumPacketSize // [MQTT-3.2.2-19]
      this.output.write(isSmall ? withReason : encodeConnack(level, connack))
    }
    this.close({ reason })
  }

  /** Ends a connection that was not let in and has reached a bound: counted, and told as every refusal is. */
  turnAway(bound: LimitName, reason: string): void {
    if (this.#isClosed) return
    const { counters, doorkeeper } = this.house
    counters.add(bound)
    const { address, listener } = this.peer
    doorkeeper.logRefusal({ address, listener, reason, ...limitFields(bound) })
    this.close({ reason })
  }

  /** Ends the connection, once: says why where the protocol has words for it, and gives everything back. */
  close(ending: Ending): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#isReady = false
    const agreement = this.#agreement
    if (agreement?.level === 5 && ending.reasonCode !== undefined && !this.output.isBehind)
      this.output.write(this.#farewell(agreement, ending.reasonCode, ending.reason))
    this.#reader.discard()
    this.#chargeHeld()
    // to one who has not said a word there is nothing to say, and what it has to say is not waited for
    const isMute = agreement === undefined && !this.#hasSpoken
    if (this.output.isBehind || this.#stream.destroyed || isMute) {
      this.output.discard()
      this.#stream.destroy()
    } else {
      this.output.end()
      this.#stream.resume() // what still comes is not looked at
      setTimeout(() => this.#stream.destroy(), lingerMs).unref()
    }
    this.house.ended(this, ending)
  }

  #farewell(agreement: Agreement, code: number, reason: string): Uint8Array {
    const withReason = encodeDisconnect(code, { reasonString: reason })
    // [MQTT-3.14.2-3]: no larger than the client takes
    return withReason.length <= agreement.maximumPacketSize ? withReason : encodeDisconnect(code)
  }

  /** For the log. */
  toFields(ending?: Ending): Record<string, unknown> {
    return {
      client: this.#agreement?.session.clientId,
      address: this.address,
      ...(ending === undefined ? {} : { reason: ending.reason }),
      ...(ending?.reasonCode === undefined ? {} : { code: reasonName(ending.reasonCode) }),
    }
  }
}

/** Never above what is there: the wall clock may have been set back since the message was stored. */
function lowerU32(bytes: Uint8Array, at: number, value: number): void {
  const before = ((bytes[at] as number) << 24) | ((bytes[at + 1] as number) << 16)
  if (value > (before | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) >>> 0) return
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}
