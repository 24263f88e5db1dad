import type { QoS } from '../core/message.ts'
import type { Publication } from './publication.ts'
import { Session } from './session.ts'
import type { Target } from './subscription.ts'

/**
 * What a bridge is to send, and what it has received and not released: a session like a client's, in the ledger too, but
 * that we are the client.
 */
export class BridgeSession extends Session {
  /** Whether messages of QoS 0 are sent with QoS 1, so that they wait as well. */
  isQos0Kept = false
  /** Called after a message has begun to wait. */
  onWaiting: () => void = () => {}

  override deliver(publication: Publication, qos: QoS, retain: boolean, target: Target): void {
    // the broker there is connected to us as well, and this is what it has sent
    if (this.peer !== undefined && publication.source?.peer === this.peer) return
    super.deliver(publication, qos === 0 && this.isQos0Kept ? 1 : qos, retain, target)
    if (!this.isLive) this.onWaiting()
  }
}
