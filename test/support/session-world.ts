import { Duplex } from 'node:stream'
import { Aedes } from 'aedes'
import { Connection } from '#src/broker/connection.js'
import { Doorkeeper } from '#src/broker/doorkeeper.js'
import { Evictions, type Takeover } from '#src/broker/evictions.js'
import { House } from '#src/broker/house.js'
import { AedesHub } from '#src/broker/hub.js'
import { packetOf } from '#src/broker/hub-packet.js'
import { Publication } from '#src/broker/publication.js'
import { Reception } from '#src/broker/reception.js'
import { RetainedStore } from '#src/broker/retained-store.js'
import { Router } from '#src/broker/router.js'
import { Sessions } from '#src/broker/sessions.js'
import { Counters } from '#src/core/counters.js'
import { Disk, MemoryLedger } from './memory-ledger.js'
import { MemoryLog } from './memory-log.js'
import { type Bytes, bytes, takePackets, type WirePacket } from './wire-client.js'

/** The client's end of a connection without a network: what it sends is there at once. */
export class Line extends Duplex {
  readonly packets: WirePacket[] = []
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

/** All of the broker but its sockets and its disk: connections without a network, a store that keeps when it is told to. */
export class SessionWorld {
  readonly ledger: MemoryLedger
  readonly log = new MemoryLog()
  readonly counters = new Counters()
  readonly router: Router
  readonly retained: RetainedStore
  readonly house: House
  readonly sessions: Sessions
  readonly hub: AedesHub
  readonly #aedes: Aedes
  readonly #connections = new Set<Connection>()

  /** With what is on this disk, as after a crash. */
  static async open(disk = new Disk()): Promise<SessionWorld> {
    const world = new SessionWorld(new MemoryLedger(disk))
    await world.#aedes.listen()
    const { retained, sessions } = disk.read()
    world.retained.restore(retained)
    world.retained.ledger = world.ledger
    world.sessions.restore(sessions, Date.now())
    world.sessions.tick(Date.now())
    return world
  }

  private constructor(ledger: MemoryLedger) {
    const { log, counters } = this
    this.ledger = ledger
    this.router = new Router({ log, counters })
    this.retained = new RetainedStore({ log, counters })
    this.#aedes = new Aedes({ mq: this.router, persistence: this.retained })
    const doorkeeper = new Doorkeeper({
      access: { allowAnonymous: 'local', credentials: undefined },
      log,
      counters,
    })
    this.house = new House({
      aedes: this.#aedes,
      router: this.router,
      retained: this.retained,
      ledger,
      doorkeeper,
      counters,
      log,
      onEnded: (connection, ending) => {
        this.#connections.delete(connection)
        this.sessions.left(connection, ending)
      },
    })
    this.sessions = new Sessions({
      house: this.house,
      counters,
      publishWill: (message, retain, session) => {
        const route = this.router.routeOf(message.topic)
        const publication = Publication.fromStored(message, route, retain, session)
        this.#aedes.publish(packetOf(publication), () => {})
      },
      routeOf: (topic) => this.router.routeOf(topic),
    })
    this.house.reception = new Reception({
      house: this.house,
      sessions: this.sessions,
      evictions: new NoFights(counters),
      isOwnAddress: () => true,
      tellFight: () => {},
      welcome: () => {},
    })
    this.hub = new AedesHub(this.#aedes, this.router, this.retained)
  }

  connect(): Line {
    const line = new Line()
    this.#connections.add(new Connection(line, '127.0.0.1', this.house))
    return line
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
  async crash(): Promise<SessionWorld> {
    const { disk } = this.ledger
    this.ledger.onKept = () => {}
    await this.close()
    return SessionWorld.open(disk)
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#aedes.close(resolve))
    this.retained.close()
  }
}

/** As many turns of the event loop as one thing needs to lead to another. */
export async function turns(count = 5): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}
