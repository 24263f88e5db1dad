import { Fifo } from '../core/fifo.ts'
import { type LimitName, limits } from '../core/limits.ts'
import type { QoS } from '../core/message.ts'
import type { Party } from './doorkeeper.ts'
import { Inflight, type Waits, waits } from './inflight.ts'
import type { DeliveryRecord, SubscriptionRecord } from './journal/records.ts'
import { entryBytes, Outgoing } from './outgoing.ts'
import { ownerKey } from './owner.ts'
import type { Publication } from './publication.ts'
import { RetainedFeed } from './retained-feed.ts'
import type { SessionHouse } from './session-house.ts'
import { SessionSubscriptions } from './session-subscriptions.ts'
import type { BridgeClient, Receiver, Share, Target } from './subscription.ts'

/** The client's side of a session, while it is connected. */
export interface SessionClient {
  /** Whether CONNACK has left: before that nothing else may. */
  readonly isReady: boolean
  readonly isV5: boolean
  /** Receive Maximum: messages of QoS 1 and 2 that it takes before it answers. */
  readonly receiveMaximum: number
  /** Whether what can wait may be written now; if not, `pump` is called when there is room. */
  readonly hasRoom: boolean
  /**
   * Writes a PUBLISH. `flags` are RETAIN (1) and DUP (8).
   * @returns false when it is not to be sent to this client: it has expired, or is larger than the client takes
   */
  send(
    publication: Publication,
    qos: QoS,
    flags: number,
    identifiers: readonly number[],
    packetId: number,
  ): boolean
  sendPubrel(packetId: number): void
  /** Calls the session's `pump` when the batch that takes records now is kept. */
  pumpWhenKept(): void
}

/** Retained messages that are looked for between two looks at the clock. */
const stepsBetweenClocks = 8

/** A durable message of QoS 2 whose packet identifier is being stored: only then may it leave. Or one that comes after it. */
interface Awaited {
  readonly id: number
  readonly batch: number
}

/**
 * What a client and the broker remember of each other [MQTT-4.1.0-1]: subscriptions, messages that wait for the client
 * or for its answers, and the identifiers of messages that it has not released. It outlives the connection when it is
 * to; then all of it is in the ledger too.
 */
export class Session implements Receiver {
  readonly clientId: string
  /** Under which it is stored; 0 when it ends with its connection. */
  readonly number: number
  readonly subscriptions: SessionSubscriptions
  /** Session Expiry Interval, in seconds. */
  expirySeconds = 0
  /** When its connection ended, ms since 1970; 0 while there is one. */
  disconnectedAtMs = 0
  /** Messages that waited in it and were dropped, since the start. */
  droppedMessages = 0
  bridge: BridgeClient | undefined
  readonly #house: SessionHouse
  readonly #inflight = new Inflight<Outgoing>()
  #owner: Party | undefined
  #client: SessionClient | undefined
  #queue: Fifo<Outgoing> | undefined
  #queueBytes = 0
  /** Messages that this connection has been sent and has not answered: all in flight but `#redeliveries`. */
  #unanswered = 0
  /** Identifiers to be sent again to this connection, the oldest first. */
  #redeliveries: Set<number> | undefined
  #awaited: Fifo<Awaited> | undefined
  /** Those among `#redeliveries` that an earlier connection waited for, with their batches. */
  #unkept: Map<number, number> | undefined
  #feed: RetainedFeed | undefined
  /** Packet identifiers of QoS 2 messages from the client that it has not released. */
  #received: Set<number> | undefined
  #nextOrder = 1
  #isPumping = false
  #hasEnded = false

  constructor(clientId: string, number: number, house: SessionHouse) {
    this.clientId = clientId
    this.number = number
    this.#house = house
    this.subscriptions = new SessionSubscriptions(this, house)
  }

  /** Whose it is: nobody else may take it over. Undefined when the store does not say, as before 0.4. */
  get owner(): Party | undefined {
    return this.#owner
  }

  set owner(owner: Party | undefined) {
    this.#owner = owner
    this.subscriptions.owner = ownerKey(owner)
  }

  get isKept(): boolean {
    return this.number !== 0
  }

  get isLive(): boolean {
    return this.#client?.isReady === true
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  get queuedMessages(): number {
    return this.#queue?.size ?? 0
  }

  /** Bytes of topics and payloads that wait. */
  get waitingBytes(): number {
    return this.#queueBytes
  }

  /** Messages that its client has not acknowledged. */
  get inflightMessages(): number {
    return this.#inflight.count
  }

  /** Bytes that its queue takes, about, those included that it shares with others. */
  get queuedBytes(): number {
    return this.#queueBytes + this.queuedMessages * entryBytes
  }

  /** Drops the oldest that wait until its queue takes no more than so many bytes: memory is short. */
  shed(bytes: number): void {
    const queue = this.#queue
    while (queue !== undefined && queue.size > 0 && this.queuedBytes > bytes)
      this.#dropOldest(queue, 'memoryBytesMax')
  }

  /**
   * Without an owner it takes what comes, and shows nothing: when one takes it over, `dropUnreadable` is called.
   */
  mayRead(topic: string): boolean {
    return this.owner === undefined || this.#house.doorkeeper.mayRead(this.owner, topic)
  }

  /**
   * Drops what waits and the owner may not read any more, and what would be sent again; of a shared subscription it goes
   * to another member. What this connection has been sent stays until it is answered. @returns how many are lost
   */
  dropUnreadable(): number {
    if (!this.#house.doorkeeper.hasLists || this.owner === undefined) return 0
    const gone = [...this.#unreadableInflight(), ...this.#unreadableQueued()]
    const lost = gone.filter(
      ({ target, publication }) => target.share?.redistribute(publication, publication.qos) !== true,
    )
    for (const item of gone) {
      if (this.number !== 0) this.#forget(item)
      item.release(this.#house.budget)
    }
    return lost.length
  }

  /** Messages on their way. */
  get unansweredMessages(): number {
    return this.#inflight.count
  }

  /** Messages that wait, or are on their way. */
  get unfinishedMessages(): number {
    return this.queuedMessages + this.unansweredMessages
  }

  /** The place among its deliveries of the message that has waited longest for its answer. */
  get oldestUnanswered(): number | undefined {
    const [id] = this.#inflight.ids()
    return id === undefined ? undefined : this.#inflight.itemOf(id)?.order
  }

  /** Whether a message of QoS 2 is on its way behind that one. */
  get isQos2Behind(): boolean {
    const [, ...behind] = this.#inflight.ids()
    return behind.some((id) => this.#inflight.itemOf(id)?.qos === 2)
  }

  /** Messages of QoS 2 from the client that it has not released. */
  get receivedCount(): number {
    return this.#received?.size ?? 0
  }

  /** Takes a client. Nothing is sent before it is ready and `pump` is called. */
  attach(client: SessionClient): void {
    this.#client = client
    this.#isPumping = false
    this.disconnectedAtMs = 0
    this.#unanswered = 0
    this.#redeliveries = this.#inflight.count === 0 ? undefined : new Set(this.#inflight.ids())
    // CONNACK leaves before the store has kept them when it can keep nothing
    for (let next = this.#awaited?.shift(); next !== undefined; next = this.#awaited?.shift())
      if (next.batch > this.#house.ledger.kept) {
        this.#unkept ??= new Map()
        this.#unkept.set(next.id, next.batch)
      }
    this.#awaited = undefined
  }

  detach(): void {
    this.#client = undefined
  }

  deliver(publication: Publication, qos: QoS, retain: boolean, target: Target): void {
    if (this.bridge !== undefined && this.#house.loops.isBarred(this.bridge, this, publication)) return
    const client = this.#client
    if (qos === 0) {
      // [MQTT-3.1.2-5]: QoS 0 need not be kept for a client that is away
      if (client?.isReady) client.send(publication, 0, retain ? 1 : 0, target.identifiers, 0)
    } else if (this.number !== 0) this.#deliverDurably(publication, qos, retain, target)
    else if (client !== undefined) this.#deliverBriefly(client, publication, qos, retain, target)
  }

  /** Sends what waits, as far as the client's window and its socket allow. */
  pump(): void {
    const client = this.#client
    if (this.#isPumping || client === undefined || !client.isReady) return
    this.#isPumping = true // what is sent may make room, or end the connection
    if (this.#awaited !== undefined) this.#sendAwaited(client, this.#awaited)
    if (this.#redeliveries === undefined || this.#redeliver(client, this.#redeliveries))
      this.#sendQueue(client)
    this.#isPumping = false
    if (this.#feed !== undefined && this.#mayFeed(client)) this.#house.feedSoon(this)
  }

  /** Sends retained messages that new subscriptions ask for, not longer than until then (`performance.now`). */
  feed(untilMs: number): void {
    const client = this.#client
    if (client === undefined) return
    this.#isPumping = true
    for (let count = 1; this.#feed !== undefined && this.#mayFeed(client); count++) {
      if (!this.#feed.deliverNext()) this.#feed = undefined
      else if (count % stepsBetweenClocks === 0 && performance.now() > untilMs) {
        this.#house.feedSoon(this)
        break
      }
    }
    this.#isPumping = false
  }

  /** PUBACK [MQTT-4.3.2-5]. */
  acknowledged(id: number): void {
    if (this.#stateOf(id) === waits.puback) this.#finish(id)
  }

  /**
   * PUBREC [MQTT-4.3.3-8]. @returns whether the identifier is known; then PUBREL is due, unless `isRefused`
   */
  received(id: number, isRefused: boolean): boolean {
    const state = this.#stateOf(id)
    if (state !== waits.pubrec && state !== waits.pubcomp) return false
    if (isRefused) {
      this.#finish(id) // [MQTT-4.4.0-2]: a refusal ends the delivery
      return true
    }
    if (this.#redeliveries?.delete(id) === true) this.#unanswered++ // PUBREL leaves now
    if (state === waits.pubcomp) return true
    this.#inflight.move(id, waits.pubrec, waits.pubcomp)
    const item = this.#inflight.itemOf(id)
    if (this.number !== 0 && item !== undefined) this.#record(item, id, true, false)
    return true
  }

  /** PUBCOMP. */
  completed(id: number): void {
    if (this.#stateOf(id) === waits.pubcomp) this.#finish(id)
  }

  /** A QoS 2 message from the client. @returns false when it has come before, and must not be published again */
  takeReceived(id: number): boolean {
    this.#received ??= new Set()
    if (this.#received.has(id)) return false
    this.#received.add(id)
    if (this.number !== 0) this.#house.ledger.putReceivedId(this.number, id)
    return true
  }

  hasReceived(id: number): boolean {
    return this.#received?.has(id) === true
  }

  /** PUBREL. @returns whether the identifier was known */
  releaseReceived(id: number): boolean {
    if (this.#received?.delete(id) !== true) return false
    if (this.number !== 0) this.#house.ledger.deleteReceivedId(this.number, id)
    return true
  }

  /** The other side has forgotten what it had sent and not released: its identifiers are free again [MQTT-3.1.2-6]. */
  forgetReceived(): void {
    for (const id of [...(this.#received ?? [])]) this.releaseReceived(id)
  }

  /** The topic of the message on its way with this identifier. */
  topicOf(id: number): string | undefined {
    return this.#inflight.itemOf(id)?.publication.topic
  }

  /** A packet identifier that no message has, for a packet of another kind. */
  unusedId(): number {
    let id = 65_535
    while (this.#inflight.stateOf(id) !== waits.nothing) id--
    return id
  }

  /** Ends the delivery of the message that has waited longest for its answer. @returns it */
  giveUpOldest(): Publication | undefined {
    const [id] = this.#inflight.ids()
    const item = id === undefined ? undefined : this.#inflight.itemOf(id)
    if (id !== undefined) this.#finish(id)
    return item?.publication
  }

  /** Sends the retained messages of a new subscription, as fast as the client takes them. */
  feedRetained(subscription: SubscriptionRecord): void {
    this.#feed ??= new RetainedFeed(this, this.#house.retained, this.#client?.isV5 === true)
    this.#feed.add(subscription)
  }

  /** @returns whether there was such a subscription */
  unsubscribe(filter: string): boolean {
    this.#feed?.remove(filter) // [MQTT-3.10.4-2]
    return this.subscriptions.delete(filter)
  }

  /** Ends for good: nothing of it is left, here or in the store. */
  end(): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    this.detach()
    this.#feed = undefined
    this.subscriptions.clear()
    const { budget } = this.#house
    const left: Outgoing[] = []
    for (const id of this.#inflight.ids()) {
      const state = this.#inflight.stateOf(id)
      const item = this.#inflight.free(id)
      if (item === undefined) continue
      if (this.number !== 0) this.#forget(item)
      if (state === waits.puback || !item.wasSent)
        left.push(item) // one of QoS 2 that was sent is not sent to another [MQTT-4.8.2-5]
      else item.release(budget)
    }
    for (let item = this.#queue?.shift(); item !== undefined; item = this.#queue?.shift()) {
      if (this.number !== 0) this.#forget(item)
      left.push(item)
    }
    if (this.number !== 0) this.#house.ledger.deleteSession(this.number)
    for (const { target, publication } of left) target.share?.redistribute(publication, publication.qos)
    for (const item of left) item.release(budget)
  }

  /** Takes a delivery back from the store, in order. */
  restore(
    publication: Publication,
    order: number,
    { qos, retain, packetId, isReleased, identifiers }: DeliveryRecord,
    share: Share | undefined,
  ): void {
    const target: Target = {
      receiver: this,
      qos,
      noLocal: false,
      retainAsPublished: true,
      identifiers,
      share,
    }
    this.#nextOrder = Math.max(this.#nextOrder, order + 1)
    const item = new Outgoing(publication, qos, retain, target, order, this.#house.budget)
    if (packetId === 0) this.#enqueue(item)
    else {
      item.wasSent = true // or it may have been
      const state = qos === 1 ? waits.puback : isReleased ? waits.pubcomp : waits.pubrec
      this.#inflight.retake(packetId, state, item)
    }
  }

  restoreReceived(ids: readonly number[]): void {
    if (ids.length > 0) this.#received = new Set(ids)
  }

  /** Takes out those that no connection has been sent, or only one that is over. */
  #unreadableInflight(): Outgoing[] {
    const gone: Outgoing[] = []
    if (this.#client !== undefined && this.#redeliveries === undefined) return gone
    for (const id of this.#client === undefined ? this.#inflight.ids() : [...(this.#redeliveries ?? [])]) {
      const item = this.#inflight.itemOf(id)
      const state = this.#inflight.stateOf(id)
      if (item === undefined || state === waits.pubcomp || this.mayRead(item.publication.topic)) continue
      if (state === waits.pubrec && item.wasSent) {
        // the client may have it, and would take the next one with this identifier for the same: PUBREL frees it
        this.#inflight.move(id, waits.pubrec, waits.pubcomp)
        if (this.number !== 0) this.#record(item, id, true, false)
        continue
      }
      this.#inflight.free(id)
      this.#redeliveries?.delete(id)
      gone.push(item)
    }
    if (this.#redeliveries?.size === 0) this.#redeliveries = undefined
    return gone
  }

  #unreadableQueued(): Outgoing[] {
    const gone: Outgoing[] = []
    const queue = this.#queue
    for (let left = queue?.size ?? 0; left > 0; left--) {
      const item = queue?.shift() as Outgoing
      if (this.mayRead(item.publication.topic)) queue?.push(item)
      else {
        this.#queueBytes -= item.bytes
        gone.push(item)
      }
    }
    if (queue?.size === 0) this.#queue = undefined
    return gone
  }

  #deliverBriefly(
    client: SessionClient,
    publication: Publication,
    qos: 1 | 2,
    retain: boolean,
    target: Target,
  ): void {
    if (this.#queue !== undefined || !this.#mayTakeMore(client)) {
      if (this.#makeRoom(publication))
        this.#enqueue(new Outgoing(publication, qos, retain, target, 0, this.#house.budget))
      return
    }
    // nothing to send again: the session ends with its connection; a share may have to give it to another
    const item =
      target.share === undefined
        ? undefined
        : new Outgoing(publication, qos, retain, target, 0, this.#house.budget)
    if (item !== undefined) item.wasSent = true
    const id = this.#inflight.take(qos === 1 ? waits.puback : waits.pubrec, item)
    this.#unanswered++
    if (!client.send(publication, qos, retain ? 1 : 0, target.identifiers, id)) this.#finish(id)
  }

  #deliverDurably(publication: Publication, qos: 1 | 2, retain: boolean, target: Target): void {
    if (this.#hasEnded) return // while the message was on its way to several
    const { budget } = this.#house
    const client = this.#client
    const isFirst = this.#queue === undefined && this.#redeliveries === undefined
    const isNow = isFirst && client !== undefined && this.#mayTakeMore(client)
    if (!isNow && !this.#makeRoom(publication)) return
    const item = new Outgoing(publication, qos, retain, target, this.#nextOrder++, budget)
    if (!isNow) {
      this.#record(item, 0, false, true)
      this.#enqueue(item)
      return
    }
    this.#sendFirst(client, item, true)
  }

  /** Whether the client's window and its socket have room for one more. */
  #mayTakeMore(client: SessionClient): boolean {
    return client.isReady && this.#unanswered < client.receiveMaximum && client.hasRoom
  }

  /** Retained messages go after all others that wait. */
  #mayFeed(client: SessionClient): boolean {
    return this.#redeliveries === undefined && this.#queue === undefined && this.#mayTakeMore(client)
  }

  #sendQueue(client: SessionClient): void {
    const queue = this.#queue
    while (queue !== undefined && queue.size > 0) {
      if (!this.#mayTakeMore(client)) return
      const item = queue.shift() as Outgoing
      this.#queueBytes -= item.bytes
      this.#sendFirst(client, item, false)
    }
    this.#queue = undefined
  }

  /** Gives a message its packet identifier. `isNew`: the store has not heard of it. */
  #sendFirst(client: SessionClient, item: Outgoing, isNew: boolean): void {
    const id = this.#inflight.take(item.qos === 1 ? waits.puback : waits.pubrec, item)
    this.#unanswered++
    const { ledger } = this.#house
    const before = ledger.recorded
    if (this.number !== 0) this.#record(item, id, false, isNew)
    const mustBeKept = item.qos === 2 && ledger.recorded !== before
    if (!mustBeKept && this.#awaited === undefined) return this.#sendItem(client, item, id)
    // what comes after one that waits does not overtake it
    this.#awaited ??= new Fifo()
    this.#awaited.push({ id, batch: mustBeKept ? ledger.open : 0 })
    client.pumpWhenKept()
  }

  #sendItem(client: SessionClient, item: Outgoing, id: number): void {
    const { publication, qos, retain, target, wasSent } = item
    const flags = (wasSent ? 8 : 0) | (retain ? 1 : 0) // [MQTT-3.3.1-1]
    item.wasSent = true
    if (!client.send(publication, qos, flags, target.identifiers, id)) this.#finish(id)
  }

  #sendAwaited(client: SessionClient, awaited: Fifo<Awaited>): void {
    const { kept } = this.#house.ledger
    for (let next = awaited.peek(); next !== undefined && next.batch <= kept; next = awaited.peek()) {
      awaited.shift()
      const item = this.#inflight.itemOf(next.id)
      if (item !== undefined) this.#sendItem(client, item, next.id)
    }
    if (awaited.size === 0) this.#awaited = undefined
    else client.pumpWhenKept()
  }

  /** [MQTT-4.4.0-1]: what was not answered is sent again, with its identifier, in its order. @returns whether it is done */
  #redeliver(client: SessionClient, redeliveries: Set<number>): boolean {
    const { kept } = this.#house.ledger
    for (const id of redeliveries) {
      if (!this.#mayTakeMore(client)) return false
      if ((this.#unkept?.get(id) ?? 0) > kept) {
        client.pumpWhenKept()
        return false
      }
      redeliveries.delete(id)
      this.#unanswered++
      const item = this.#inflight.itemOf(id)
      if (this.#inflight.stateOf(id) === waits.pubcomp) client.sendPubrel(id)
      else if (item !== undefined) this.#sendItem(client, item, id)
    }
    this.#redeliveries = undefined
    this.#unkept = undefined
    return true
  }

  /** What an identifier waits for, when the client can know of it. */
  #stateOf(id: number): Waits {
    return this.#inflight.itemOf(id)?.wasSent === false ? waits.nothing : this.#inflight.stateOf(id)
  }

  #finish(id: number): void {
    const item = this.#inflight.free(id)
    // one that is still to be sent again is answered all the same, but this connection's window has no place for it yet
    if (this.#redeliveries?.delete(id) !== true) this.#unanswered--
    if (item !== undefined) {
      if (this.number !== 0) this.#forget(item)
      item.release(this.#house.budget)
    }
    if (this.#isPumping) return
    if (this.#queue !== undefined || this.#redeliveries !== undefined || this.#feed !== undefined)
      this.#house.pumpSoon(this)
  }

  #enqueue(item: Outgoing): void {
    this.#queue ??= new Fifo()
    this.#queue.push(item)
    this.#queueBytes += item.bytes
  }

  /** Drops the oldest that wait, until there is room. @returns false when there can be none */
  #makeRoom({ route, payloadLength }: Publication): boolean {
    const bytes = route.topicLength + payloadLength
    if (bytes > limits.sessionQueueBytesMax) {
      this.#house.dropped(this, 'sessionQueueBytesMax', 'too large')
      return false
    }
    const queue = this.#queue
    while (queue !== undefined && queue.size > 0) {
      const isTooMany = queue.size >= limits.sessionQueueMessagesMax
      if (!isTooMany && this.#queueBytes + bytes <= limits.sessionQueueBytesMax) break
      this.#dropOldest(queue, isTooMany ? 'sessionQueueMessagesMax' : 'sessionQueueBytesMax')
    }
    return true
  }

  #dropOldest(queue: Fifo<Outgoing>, bound: LimitName): void {
    const oldest = queue.shift() as Outgoing
    this.#queueBytes -= oldest.bytes
    if (this.number !== 0) this.#forget(oldest)
    oldest.release(this.#house.budget)
    this.#house.dropped(this, bound)
  }

  #record(item: Outgoing, packetId: number, isReleased: boolean, isNew: boolean): void {
    const { ledger } = this.#house
    const { publication, qos, retain, target } = item
    let { body } = publication
    if (body === undefined || body.references === 0) {
      body = ledger.putBody(publication.toStored())
      publication.body = body
    }
    const record = { qos, retain, packetId, isReleased, identifiers: target.identifiers }
    ledger.putDelivery(this.number, item.order, body, record, isNew)
  }

  #forget(item: Outgoing): void {
    const { body } = item.publication
    if (body !== undefined) this.#house.ledger.deleteDelivery(this.number, item.order, body)
  }
}
