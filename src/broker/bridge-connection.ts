import type { Duplex } from 'node:stream'
import type { QoS } from '../core/message.ts'
import { closedByPeer, type LinkFailure, silent } from './attached/link-failure.ts'
import type { OwnEchoes } from './attached/own-echoes.ts'
import { notMqtt } from './bridge-failure.ts'
import type { BridgeOut } from './bridge-loops.ts'
import type { BridgeTopics } from './bridge-topics.ts'
import { type Agreement, Connection, type Ending } from './connection.ts'
import type { ConnectionHouse } from './connection-house.ts'
import { handleAck } from './packet-handlers.ts'
import type { Publication } from './publication.ts'
import { type IncomingTopics, PublishReader } from './publish-reader.ts'
import { Route, routeOfKey } from './route.ts'
import {
  decodeAnswer,
  decodeConnack,
  decodeFarewell,
  encodeConnect,
  encodePublish,
  encodeSubscribe,
  encodeUnsubscribe,
  type OutgoingConnect,
  pingreq,
  type ServerConnack,
} from './wire/client-side.ts'
import { encodeDisconnect } from './wire/encode.ts'
import type { ProtocolLevel } from './wire/packet-types.ts'
import type { Properties } from './wire/properties.ts'
import { ProtocolError } from './wire/protocol-error.ts'
import { reasonCode, reasonName } from './wire/reason-codes.ts'
import type { SubscribeRequest } from './wire/subscribe.ts'

/** A broker that is silent for so many keep alives is gone. */
const silentFactor = 1.5
/** One PINGREQ in this part of a keep alive. */
const pingFactor = 0.75

const none: readonly number[] = []

export interface BridgeConnectionParts {
  readonly bridge: BridgeOut
  readonly isSecure: boolean
  readonly topics: BridgeTopics
  readonly connect: OutgoingConnect
  readonly mayRetain: boolean
  /** Where the other broker would send our own messages back to us. */
  readonly echoes: OwnEchoes | undefined
  /** Messages of QoS 1 and 2 that may be on their way now. */
  readonly windowMax: () => number
  /** CONNACK has come. It agrees, or fails, before it returns. */
  readonly onConnack: (connack: ServerConnack) => void
  /** The other broker does not take a message; it is not sent again. */
  readonly onRefused: (topic: string, reason: string) => void
}

/** A bridge's connection: what is the client's with other connections is ours here, the rest is the same. */
export class BridgeConnection extends Connection {
  override readonly isOutgoing = true
  /** Resolves at the end, with its cause. */
  readonly ended: Promise<LinkFailure>
  /** When a message went over it last, in either direction. */
  lastMessageMs = performance.now()
  readonly #parts: BridgeConnectionParts
  #end: (failure: LinkFailure) => void = () => {}
  #failure: LinkFailure | undefined
  #mayRetain: boolean
  #clock: NodeJS.Timeout | undefined
  #pingedAtMs = performance.now()
  /** SUBSCRIBE and UNSUBSCRIBE that have no answer yet; one at a time. */
  #asked: { readonly packetId: number; readonly answer: (codes: readonly number[]) => void } | undefined

  constructor(stream: Duplex, address: string, house: ConnectionHouse, parts: BridgeConnectionParts) {
    const peer = {
      address,
      listener: '',
      isLocal: false,
      certificateUser: undefined,
      transport: parts.isSecure ? 'mqtts' : 'mqtt',
    } as const
    super(stream, peer, house, () => {})
    this.#parts = parts
    this.#mayRetain = parts.mayRetain
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    this.output.write(encodeConnect(parts.connect))
  }

  // --- the beginning

  /** CONNACK was a yes: what was settled. */
  settle(agreement: Agreement, properties: Properties): void {
    if (properties.retainAvailable === false) this.#mayRetain = false
    this.agree(agreement)
    const { keepAliveSeconds } = agreement
    if (keepAliveSeconds === 0) return
    this.#clock = setInterval(
      () => this.#checkSilence(keepAliveSeconds * 1_000),
      keepAliveSeconds * 250,
    ).unref()
  }

  /** From now on messages go out. */
  open(): void {
    if (!this.isClosed) this.begin()
  }

  /** @returns a reason code for each; never when the connection ends before */
  subscribe(requests: readonly SubscribeRequest[]): Promise<readonly number[]> {
    return this.#ask((packetId) => encodeSubscribe(this.level as ProtocolLevel, packetId, requests))
  }

  unsubscribe(filters: readonly string[]): Promise<readonly number[]> {
    return this.#ask((packetId) => encodeUnsubscribe(this.level as ProtocolLevel, packetId, filters))
  }

  /** Publishes something of the bridge's own, with QoS 0, retained where that may be. */
  tell(topic: string, payload: string): void {
    this.output.write(encodePublish(this.level as ProtocolLevel, topic, payload, this.#mayRetain))
  }

  // --- what goes

  override get receiveMaximum(): number {
    return Math.min(super.receiveMaximum, this.#parts.windowMax())
  }

  override send(
    publication: Publication,
    qos: QoS,
    flags: number,
    _identifiers: readonly number[],
    packetId: number,
  ): boolean {
    const { topics, echoes } = this.#parts
    const { topic } = publication
    const there = topics.outgoing.of(topic)
    if (there === undefined) return false // it waited since the topics were others
    if (qos === 0 && !this.hasRoom) {
      this.house.counters.add('messages.dropped')
      return false
    }
    const sent =
      there === topic
        ? publication
        : publication.renamed(new Route(there, Buffer.byteLength(there), undefined))
    if (!super.send(sent, qos, this.#mayRetain ? flags : flags & ~1, none, packetId)) {
      if (publication.expiresAtMs === 0) this.#parts.onRefused(topic, 'it takes no packet of that size')
      return false
    }
    this.lastMessageMs = performance.now()
    if ((flags & 8) !== 0) return true // again
    this.house.loops.sent(this.#parts.bridge, topic, publication.payload)
    if (echoes !== undefined && topics.incoming.of(there) !== undefined)
      echoes.expect(there, publication.payload, [])
    return true
  }

  // --- what comes

  protected override get opening(): number {
    return 0x20
  }

  protected override refuseStranger(): void {
    this.fail(notMqtt)
  }

  protected override makeReader(): PublishReader {
    const incoming: IncomingTopics = {
      routeOf: (bytes, start, end, payloadAt, payloadEnd) =>
        this.#incomingRoute(bytes, start, end, payloadAt, payloadEnd),
    }
    return new PublishReader(this, this.house, incoming)
  }

  protected override handle(bytes: Buffer, at: number, end: number, first: number): void {
    const isV5 = this.#parts.connect.level === 5
    if (this.agreement === undefined) {
      if (first !== 0x20) throw unexpected(first)
      this.#parts.onConnack(decodeConnack(bytes, at, end, isV5)) // [MQTT-3.2.0-1]
      return
    }
    switch (first) {
      case 0x40:
      case 0x50:
      case 0x62:
      case 0x70:
        this.#tellRefusal(bytes, at, end)
        return handleAck(this, bytes, at, end, (first >> 4) as 4 | 5 | 6 | 7)
      case 0x90:
      case 0xb0: {
        const { packetId, codes } = decodeAnswer(first === 0x90 ? 'suback' : 'unsuback', bytes, at, end, isV5)
        const asked = this.#asked
        if (asked?.packetId !== packetId) throw unexpected(first)
        this.#asked = undefined
        return asked.answer(codes)
      }
      case 0xd0:
        return
      case 0xe0: {
        if (!isV5) throw unexpected(first)
        const { code, properties } = decodeFarewell(bytes, at, end)
        const words = properties.reasonString === undefined ? '' : ` (${properties.reasonString})`
        return this.fail({ reason: `closed by the broker: ${reasonName(code)}${words}`, isByPeer: true })
      }
      default:
        throw unexpected(first)
    }
  }

  // --- the end

  /** Ends the connection at once, for a reason of its own. */
  fail(failure: LinkFailure): void {
    this.#failure ??= failure
    this.close({ reason: failure.reason })
  }

  /** Takes leave: the other broker does not publish the will. `isForGood`: it need not remember us. */
  leave(failure: LinkFailure, isForGood: boolean): void {
    if (this.isClosed) return
    if (this.agreement !== undefined)
      this.output.write(
        isForGood && this.level === 5
          ? encodeDisconnect(reasonCode.normalDisconnection, { sessionExpiryInterval: 0 })
          : encodeDisconnect(reasonCode.normalDisconnection),
      )
    this.fail(failure)
  }

  override close(ending: Ending): void {
    if (this.isClosed) return
    clearInterval(this.#clock)
    super.close(ending)
    const isByPeer = ending.reasonCode === undefined // else it is we who do not like what has come
    this.#end(this.#failure ?? (isByPeer ? closedByPeer : { reason: ending.reason }))
  }

  override toFields(): Record<string, unknown> {
    return { bridge: this.#parts.bridge.name, address: this.address }
  }

  #ask(packetOf: (packetId: number) => Uint8Array): Promise<readonly number[]> {
    const packetId = this.session.unusedId() // no message is sent before the answer
    return new Promise((answer) => {
      this.#asked = { packetId, answer }
      this.output.write(packetOf(packetId))
    })
  }

  #incomingRoute(
    bytes: Buffer,
    start: number,
    end: number,
    payloadAt: number,
    payloadEnd: number,
  ): Route | undefined {
    this.lastMessageMs = performance.now()
    const { topics, echoes } = this.#parts
    const { topic, problem } = routeOfKey(bytes.toString('latin1', start, end))
    const here = problem === undefined ? topics.incoming.of(topic) : undefined
    if (here === undefined) {
      this.house.counters.add('bridges.unwanted')
      return undefined
    }
    if (echoes?.take(topic, bytes.subarray(payloadAt, payloadEnd)) !== undefined) return undefined
    return this.house.router.routeOf(here)
  }

  /** MQTT 5: PUBACK or PUBREC may say no. */
  #tellRefusal(bytes: Buffer, at: number, end: number): void {
    const code = end - at > 2 ? (bytes[at + 2] as number) : 0
    if (code < 0x80) return
    const topic = this.session.topicOf(((bytes[at] as number) << 8) | (bytes[at + 1] as number))
    if (topic !== undefined) this.#parts.onRefused(topic, reasonName(code))
  }

  #checkSilence(keepAliveMs: number): void {
    const nowMs = performance.now()
    if (nowMs - this.heardAtMs > keepAliveMs * silentFactor) return this.fail(silent)
    if (nowMs - this.#pingedAtMs < keepAliveMs * pingFactor) return
    this.#pingedAtMs = nowMs
    this.output.write(pingreq)
  }
}

function unexpected(first: number): ProtocolError {
  const byte = `0x${first.toString(16).padStart(2, '0')}`
  return new ProtocolError(reasonCode.protocolError, `a packet that begins with ${byte} is not expected now`)
}
