import type { AedesPublishPacket } from 'aedes'
import type { Counters } from '../core/counters.ts'
import { reasonOf } from '../core/errors.ts'
import { Fifo } from '../core/fifo.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import type { SharedFilter } from '../core/shared-filter.ts'
import { type Delivery, type Destination, isSubscribed } from './delivery.ts'
import { FilterTree } from './filter-tree.ts'
import { publicationOf } from './hub-packet.ts'
import type { Publication } from './publication.ts'
import { keyOf, Route, routeOfKey } from './route.ts'
import { RouteCache } from './route-cache.ts'
import { ShareGroup } from './share-group.ts'
import type { Receiver, Share } from './subscription.ts'

export interface RouterParts {
  readonly log: Logger
  readonly counters: Counters
}

type Done = (error?: Error | null) => void

interface Waiting {
  readonly packet: AedesPublishPacket
  readonly done: Done
}

const loneSurrogate = /\p{Surrogate}/u
const none: readonly never[] = []
const nothing = (): void => {}

/**
 * Brings messages to those who subscribed: `mq` for aedes, in mqemitter's contract. Everybody has a message before
 * `emit` returns, and has it before the next one: what is published meanwhile waits its turn. It waits for nobody.
 * Who is outside gets what rides in a packet as a `Publication`; what aedes says to itself stays in the process.
 */
export class Router {
  readonly #log: Logger
  readonly #repeats = new Repeats()
  readonly #tree = new FilterTree<Delivery | ShareGroup>()
  readonly #groups = new Map<string, ShareGroup>()
  readonly #cache: RouteCache
  readonly #waiting = new Fifo<Waiting>()
  /** While a route is made: where a receiver stands among its targets. */
  readonly #places = new Map<Receiver, number>()
  /** Counts the changes that may concern any topic. */
  #generation = 1
  /** Counts all of them. */
  #changes = 1
  #isBusy = false
  #isClosed = false

  constructor({ log, counters }: RouterParts) {
    this.#log = log
    this.#cache = new RouteCache(counters)
  }

  /** The members of a shared subscription, while there are some. */
  shareOf({ share, filter }: SharedFilter): Share | undefined {
    return this.#groups.get(`${share}/${filter}`)
  }

  /** Members of all shared subscriptions. */
  get sharedCount(): number {
    let sum = 0
    for (const group of this.#groups.values()) sum += group.size
    return sum
  }

  /** Adds a subscriber. `filter` is valid; of a shared subscription it is what follows the share's name. */
  on(filter: string, deliver: Delivery, done: () => void = nothing): this {
    if (isSubscribed(deliver) && deliver.subscription.share !== undefined) {
      const name = `${deliver.subscription.share}/${filter}`
      let group = this.#groups.get(name)
      if (group === undefined) {
        group = new ShareGroup()
        this.#groups.set(name, group)
        this.#tree.add(filter, group)
        this.#touch(filter)
      }
      group.join(deliver.subscription)
    } else {
      this.#tree.add(filter, deliver)
      this.#touch(filter)
    }
    done()
    return this
  }

  /** Takes the subscriber away that was added with this filter; one that is not there is no error. */
  removeListener(filter: string, deliver: Delivery, done: () => void = nothing): this {
    if (isSubscribed(deliver) && deliver.subscription.share !== undefined) {
      const name = `${deliver.subscription.share}/${filter}`
      const group = this.#groups.get(name)
      group?.leave(deliver.subscription)
      if (group?.size === 0) {
        this.#groups.delete(name)
        this.#tree.remove(filter, group)
        this.#touch(filter)
      }
    } else if (this.#tree.remove(filter, deliver)) this.#touch(filter)
    done()
    return this
  }

  /** Delivers a message. `done` is called when everybody has it; with an error only after `close`. */
  emit(packet: AedesPublishPacket, done: Done = nothing): this {
    if (this.#isClosed) done(new Error('the router is closed'))
    else if (this.#isBusy) this.#waiting.push({ packet, done })
    else {
      this.#isBusy = true
      this.#run(packet, done)
      while (this.#waiting.size > 0) {
        const next = this.#waiting.shift() as Waiting
        this.#run(next.packet, next.done)
      }
      this.#isBusy = false
    }
    return this
  }

  /** Delivers nothing any more. */
  close(done: () => void = nothing): void {
    this.#isClosed = true
    setImmediate(done)
  }

  /**
   * The route of the topic that stands in these bytes. It serves one message; remember it where topics repeat, and ask
   * `isCurrent` before it serves another.
   */
  routeOfBytes(bytes: Buffer, start: number, end: number): Route {
    return this.#find(bytes.toString('latin1', start, end))
  }

  /** The same for a topic that is text already. */
  routeOf(topic: string): Route {
    if (!loneSurrogate.test(topic)) return this.#find(keyOf(topic))
    return new Route(topic, Buffer.byteLength(topic), 'it is not Unicode text') // [MQTT-1.5.4-1]
  }

  /** Whether nothing has changed since the route was looked up, so that it may be used again: that keeps it in memory. */
  isCurrent(route: Route): boolean {
    if (route.generation !== this.#generation) return false
    route.wasUsed = true
    return true
  }

  /** Says that others may read other topics now: each route is made anew when it is next used. */
  renew(): void {
    this.#changes++
    this.#generation++
  }

  /** Whether it leads to those who are subscribed now. */
  #isRight(route: Route): boolean {
    return route.generation === this.#generation || route.changes === this.#changes
  }

  #find(key: string): Route {
    const known = this.#cache.get(key)
    if (known !== undefined) {
      known.wasUsed = true
      if (known.generation === this.#generation) return known
      this.#fill(known)
      known.generation = this.#generation
      this.#cache.resize(known)
      return known
    }
    const route = routeOfKey(key)
    if (route.problem !== undefined) return route
    this.#fill(route)
    if (this.#cache.add(key, route)) route.generation = this.#generation
    return route
  }

  #fill(route: Route): void {
    route.clear()
    route.changes = this.#changes
    const values = this.#tree.match(route.topic)
    if (values.length === 0) return // an array for each of so many topics would cost
    const targets: Destination[] = []
    const shares: ShareGroup[] = []
    const listeners: Delivery[] = []
    for (const value of values) {
      if (value instanceof ShareGroup) shares.push(value)
      else if (!isSubscribed(value)) {
        if (!listeners.includes(value)) listeners.push(value) // several of its filters match
      } else {
        const place = this.#places.get(value.target.receiver)
        if (place === undefined && !value.target.receiver.mayRead(route.topic)) continue
        if (place === undefined) this.#places.set(value.target.receiver, targets.push(value.target) - 1)
        else targets[place] = (targets[place] as Destination).and(value.subscription)
      }
    }
    this.#places.clear()
    route.targets = targets
    route.shares = shares.length === 0 ? none : shares
    route.listeners = listeners.length === 0 ? none : listeners
  }

  /** Says that another set of subscribers matches this filter. */
  #touch(filter: string): void {
    this.#changes++
    if (filter.includes('+') || filter.includes('#')) {
      this.#generation++ // each route is made anew when it is next used
      return
    }
    const route = this.#cache.get(keyOf(filter))
    if (route !== undefined) route.generation = 0
  }

  #run(packet: AedesPublishPacket, done: Done): void {
    try {
      const publication = publicationOf(packet)
      if (publication === undefined) this.#tell(packet, this.routeOf(packet.topic))
      else {
        const { route } = publication
        const current = route instanceof Route && this.#isRight(route) ? route : this.routeOf(route.topic)
        this.#deliver(publication, current)
        if (current.listeners.length > 0) this.#tell(packet, current) // last: they may own the bytes
        if (current.generation === 0) current.clear() // it is not remembered; the message may be, for long
      }
      done(null)
    } catch (error) {
      this.#failed(packet.topic, error)
    }
  }

  #deliver(publication: Publication, { targets, shares }: Route): void {
    const { qos, retain, source } = publication
    for (let index = 0; index < targets.length; index++) {
      let target = targets[index] as Destination
      const { receiver } = target
      if (receiver === source && target.forOwn !== target) {
        if (target.forOwn === undefined) continue // [MQTT-3.8.3-3]
        target = target.forOwn
      }
      const most = target.qos
      try {
        receiver.deliver(publication, qos < most ? qos : most, retain && target.retainAsPublished, target)
      } catch (error) {
        this.#failed(publication.topic, error)
      }
    }
    for (let index = 0; index < shares.length; index++) {
      try {
        ;(shares[index] as ShareGroup).deliver(publication)
      } catch (error) {
        this.#failed(publication.topic, error)
      }
    }
  }

  #tell(packet: AedesPublishPacket, { listeners }: Route): void {
    for (const deliver of listeners) {
      try {
        deliver(packet, nothing)
      } catch (error) {
        this.#failed(packet.topic, error)
      }
    }
  }

  #failed(topic: string, error: unknown): void {
    const reason = reasonOf(error)
    const repeats = this.#repeats.admit(reason)
    if (repeats !== undefined)
      this.#log.error({ topic: topic.slice(0, 100), reason, err: error, ...repeats }, 'delivery failed')
  }
}
