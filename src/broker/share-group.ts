import type { QoS } from '../core/message.ts'
import { Destination } from './delivery.ts'
import type { Publication } from './publication.ts'
import type { Share, Subscription } from './subscription.ts'

/**
 * A shared subscription: each message goes to one of its members that may read it, in turn to those that are connected;
 * only while none is, to those that are not.
 */
export class ShareGroup implements Share {
  readonly #members: Destination[] = []
  #next = 0

  get size(): number {
    return this.#members.length
  }

  /** Whether one of its members has what is for it written to the disk. */
  get isKept(): boolean {
    return this.#members.some(({ receiver, qos }) => receiver.isKept && qos > 0)
  }

  /** Adds a member. One that is there already keeps its place, with what the new subscription says [MQTT-3.8.4-3]. */
  join(subscription: Subscription): void {
    const member = new Destination(subscription, this)
    const index = this.#members.findIndex(({ receiver }) => receiver === subscription.receiver)
    if (index === -1) this.#members.push(member)
    else this.#members[index] = member
  }

  /** Removes a member; one whose place another subscription has taken is no member. */
  leave(subscription: Subscription): void {
    const index = this.#members.findIndex((member) => member.subscription === subscription)
    if (index === -1) return
    this.#members.splice(index, 1)
    if (index < this.#next) this.#next--
  }

  deliver(publication: Publication): void {
    const member = this.#choose(publication.topic)
    if (member !== undefined) send(publication, publication.qos, member)
  }

  redistribute(publication: Publication, qos: QoS): boolean {
    const member = this.#choose(publication.topic)
    if (member === undefined) return false
    send(publication, qos, member)
    return true
  }

  #choose(topic: string): Destination | undefined {
    const { length } = this.#members
    let chosen = -1
    for (let tried = 0; tried < length; tried++) {
      const index = (this.#next + tried) % length
      const { receiver } = this.#members[index] as Destination
      if (!receiver.isLive && chosen !== -1) continue
      if (!receiver.mayRead(topic)) continue
      chosen = index
      if (receiver.isLive) break
    }
    if (chosen === -1) return undefined
    this.#next = chosen + 1
    return this.#members[chosen]
  }
}

function send(publication: Publication, qos: QoS, member: Destination): void {
  const retain = publication.retain && member.retainAsPublished
  member.receiver.deliver(publication, qos < member.qos ? qos : member.qos, retain, member)
}
