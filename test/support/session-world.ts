import assert from 'node:assert/strict'
import { Duplex } from 'node:stream'
import type { Access } from '#src/broker/access.js'
import type { Connection } from '#src/broker/connection.js'
import { Evictions, type Takeover } from '#src/broker/evictions.js'
import type { House } from '#src/broker/house.js'
import type { AedesHub } from '#src/broker/hub.js'
import { Inside } from '#src/broker/inside.js'
import type { Peer } from '#src/broker/peer.js'
import type { Sessions } from '#src/broker/sessions.js'
import type { OwnIdentity } from '#src/core/access.js'
import { Counters } from '#src/core/counters.js'
import type { QoS } from '#src/core/message.js'
import type { Hub } from '#src/core/ports.js'
import { steadyMs } from '#src/core/steady-clock.js'
import { Disk, MemoryLedger } from './memory-ledger.js'
import { MemoryLog } from './memory-log.js'
import {
  type Bytes,
  bytes,
  type ConnectFields,
  connectBytes,
  packet,
  prefixed,
  takePackets,
  u16,
  type WirePacket,
} from './wire-client.js'

/** The client's end of a connection without a network: what it sends is there at once. */
export class Line extends Duplex {
  readonly packets: WirePacket[] = []
  isV5 = false
  /** Whether CONNACK told of a session. */
  isPresent = false
  #unsaid: Buffer | undefined
  #bytes: Buffer = Buffer.alloc(0)
  #isStuck = false
  #done: (() => void) | undefined

  /** Whether the broker has ended it, or it was lost. */
  get isClosed(): boolean {
    return this.writableEnded || this.destroyed
  }

  say(...parts: readonly Bytes[]): void {
    const said = bytes(...parts)
    if (this.#unsaid !== undefined) this.#unsaid = Buffer.concat([this.#unsaid, said])
    else if (!this.isClosed) this.push(said)
  }

  /** What is said from now on goes at once when `speak` is called. */
  holdBreath(): void {
    this.#unsaid ??= Buffer.alloc(0)
  }

  speak(): void {
    const unsaid = this.#unsaid
    this.#unsaid = undefined
    if (unsaid !== undefined && unsaid.length > 0) this.say(unsaid)
  }

  subscribe(filter: string, qos: QoS = 1, options = 0): void {
    this.say(packet(0x82, u16(9), this.isV5 ? [0] : [], prefixed(filter), qos | options))
  }

  unsubscribe(filter: string): void {
    this.say(packet(0xa2, u16(9), this.isV5 ? [0] : [], prefixed(filter)))
  }

  publish(topic: string, payload: string, qos: QoS = 0, id = 1, retain = false): void {
    const head = bytes(prefixed(topic), qos > 0 ? u16(id) : [], this.isV5 ? [0] : [])
    this.say(packet(0x30 | (qos << 1) | (retain ? 1 : 0), head, payload))
  }

  puback(id: number): void {
    this.say([0x40, 2], u16(id))
  }

  pubrec(id: number): void {
    this.say([0x50, 2], u16(id))
  }

  pubcomp(id: number): void {
    this.say([0x70, 2], u16(id))
  }

  /** Takes the messages that have come: payload, QoS and identifier, `dup` and `retain` when they are set. */
  messages(): string[] {
    const found: string[] = []
    for (const { flags, body } of this.#takeAll(3)) {
      const qos = (flags >> 1) & 3
      let at = 2 + body.readUInt16BE(0)
      const id = qos > 0 ? ` #${body.readUInt16BE(at)}` : ''
      if (qos > 0) at += 2
      if (this.isV5) at += 1 + (body[at] as number)
      found.push(
        `${body.toString('utf8', at)} q${qos}${id}${flags & 8 ? ' dup' : ''}${flags & 1 ? ' retain' : ''}`,
      )
    }
    return found
  }

  /** Takes the packets that have come and are no messages, as their bytes in hexadecimal. */
  answers(): string[] {
    const all = this.packets.splice(0)
    this.packets.push(...all.filter(({ type }) => type === 3))
    return all
      .filter(({ type }) => type !== 3)
      .map(({ type, flags, body }) => packet((type << 4) | flags, body).toString('hex'))
  }

  #takeAll(type: number): WirePacket[] {
    const all = this.packets.splice(0)
    this.packets.push(...all.filter((each) => each.type !== type))
    return all.filter((each) => each.type === type)
  }

  /** The client reads no more: of what is written one more piece gets through. */
  stick(): void {
    this.#isStuck = true
  }

  loosen(): void {
    this.#isStuck = false
    const done = this.#done
    this.#done = undefined
    done?.()
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.#bytes = takePackets(Buffer.concat([this.#bytes, chunk]), this.packets) // a copy: its memory is used again
    if (this.#isStuck) this.#done = done
    else done()
  }
}

/** Nobody waits: there is no time here. */
class NoFights extends Evictions {
  override look(): Takeover {
    return { delayMs: 0, isFight: false }
  }
}

const anonymous: Access = { allowAnonymous: 'local', credentials: undefined }

/** All of the broker but its sockets and its disk: connections without a network, a store that keeps when it is told to. */
export class SessionWorld {
  readonly ledger: MemoryLedger
  readonly log = new MemoryLog()
  readonly counters = new Counters()
  readonly #inside: Inside

  /** With what is on this disk, as after a crash. */
  static async open(disk = new Disk(), access: Access = anonymous): Promise<SessionWorld> {
    const world = new SessionWorld(new MemoryLedger(disk), access)
    await world.#inside.start(disk.read())
    world.sessions.tick(steadyMs())
    return world
  }

  private constructor(ledger: MemoryLedger, access: Access) {
    const { log, counters } = this
    this.ledger = ledger
    this.#inside = new Inside({
      ledger,
      access,
      evictions: new NoFights(counters),
      log,
      counters,
      onWelcome: () => {},
      onEnded: () => {},
    })
  }

  get house(): House {
    return this.#inside.house
  }

  get sessions(): Sessions {
    return this.#inside.sessions
  }

  get hub(): AedesHub {
    return this.#inside.hub
  }

  /** Those that have not ended. */
  get connections(): Iterable<Connection> {
    return this.#inside.connections
  }

  /** What an owner has changed, as a reload brings it. */
  setAccess(access: Access): void {
    this.#inside.setAccess(access)
  }

  hubFor(identity: OwnIdentity): Hub {
    return this.#inside.hubFor(identity)
  }

  connect(peer: Partial<Peer> = {}): Line {
    const line = new Line()
    this.#inside.connect(line, {
      address: '127.0.0.1',
      listener: 'main',
      isLocal: true,
      certificateUser: undefined,
      transport: 'mqtt',
      ...peer,
    })
    return line
  }

  /** A client that has been let in; its CONNACK is taken. */
  async join(fields: ConnectFields, peer: Partial<Peer> = {}): Promise<Line> {
    const line = this.connect(peer)
    line.isV5 = fields.level === 5
    line.say(connectBytes(fields))
    await this.keep()
    const connack = line.packets.shift()
    assert.deepEqual([connack?.type, connack?.body[1]], [2, 0], 'CONNACK')
    line.isPresent = connack?.body[0] === 1
    return line
  }

  /** A message of the house. */
  publish(topic: string, payload: string, qos: QoS = 1, retain = false): void {
    void this.hub.publish({ topic, payload, qos, retain })
  }

  /** Lets the store keep all that it has been told, and the connections write. */
  async keep(): Promise<void> {
    await turns()
    while (!this.ledger.isIdle) {
      this.ledger.finish()
      this.ledger.begin()
      this.ledger.finish()
      await turns()
    }
  }

  /** Forgets all that the store has not kept. @returns what starts in its place */
  async crash(access?: Access): Promise<SessionWorld> {
    const { disk } = this.ledger
    this.ledger.onKept = () => {}
    await this.close()
    return SessionWorld.open(disk, access)
  }

  close(): Promise<void> {
    return this.#inside.stop()
  }
}

/** As many turns of the event loop as one thing needs to lead to another. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}
