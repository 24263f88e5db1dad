import type { Counters } from '../core/counters.ts'
import type { QoS } from '../core/message.ts'
import { OwnEchoes } from './attached/own-echoes.ts'
import { type BridgeOut, leadsBack } from './bridge-loops.ts'
import { BridgeTopics } from './bridge-topics.ts'
import type { Publication } from './publication.ts'
import { Session } from './session.ts'
import type { SessionHouse } from './session-house.ts'
import type { Target } from './subscription.ts'

/**
 * What a bridge is to send, and what it has received and not released: a session like a client's, in the ledger too, but
 * that we are the client.
 */
export class BridgeSession extends Session implements BridgeOut {
  readonly name: string
  readonly echoes: OwnEchoes
  peer: string | undefined
  isStranger = false
  /** How many of `droppedMessages` had been dropped when its last connection ended, or have been told. */
  droppedBefore = 0
  topics = new BridgeTopics({ topics: [] })
  /** Whether messages of QoS 0 are sent with QoS 1, so that they wait as well. */
  isQos0Kept = false
  /** Called after a message has begun to wait. */
  onWaiting: () => void = () => {}

  constructor(name: string, clientId: string, number: number, house: SessionHouse, counters: Counters) {
    super(clientId, number, house)
    this.name = name
    this.echoes = new OwnEchoes(counters)
  }

  override deliver(publication: Publication, qos: QoS, retain: boolean, target: Target): void {
    const { source } = publication
    if (source?.bridge !== undefined && leadsBack(this, source.bridge)) return
    if (source instanceof BridgeSession && source.peer !== undefined && source.peer === this.peer) return
    super.deliver(publication, qos === 0 && this.isQos0Kept ? 1 : qos, retain, target)
    if (!this.isLive) this.onWaiting()
  }
}
