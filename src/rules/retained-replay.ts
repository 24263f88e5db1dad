import { createHash } from 'node:crypto'
import { reasonOf } from '../core/errors.ts'
import { eventOf } from '../core/event.ts'
import { limits } from '../core/limits.ts'
import type { Message } from '../core/message.ts'
import type { Hub, Identity } from '../core/ports.ts'
import type { RuleWorker } from './rule-worker.ts'
import type { RuleContext } from './steps.ts'

export interface RetainedReplayParts extends Pick<RuleContext, 'log' | 'counters'> {
  readonly hub: Hub
  readonly identity: Identity
}

/**
 * Brings the retained messages to the rules that say `retained: true`: when they begin, and, where the broker is
 * elsewhere, once more when it may have others now; of those, a rule gets what is not what it has seen last.
 */
export class RetainedReplay {
  readonly #parts: RetainedReplayParts
  /** Topics that came while a rule's retained messages were being read: newer than what is read. */
  readonly #running = new Map<RuleWorker, Set<string>>()
  /** To be read once more when the reading that is under way is over. */
  readonly #due = new Set<RuleWorker>()
  /** For a broker elsewhere: what each rule has seen last, by topic; at most `ruleTimersMax` topics. */
  readonly #last = new WeakMap<RuleWorker, Map<string, string>>()

  constructor(parts: RetainedReplayParts) {
    this.#parts = parts
  }

  /** To be called with each message that a rule gets. */
  saw(worker: RuleWorker, { topic, payload }: Message): void {
    this.#running.get(worker)?.add(topic)
    if (this.#parts.hub.remote !== undefined && worker.rule.firesOnRetained)
      this.#remember(worker, topic, digestOf(payload))
  }

  /** Resolves when the rule has been offered what was retained. Never rejects. */
  async run(worker: RuleWorker): Promise<void> {
    const { trigger, firesOnRetained, name } = worker.rule
    if (trigger.kind !== 'message' || !firesOnRetained) return
    if (this.#running.has(worker)) return void this.#due.add(worker)
    const seen = new Set<string>()
    this.#running.set(worker, seen)
    try {
      for (const filter of trigger.filters) {
        for await (const message of this.#parts.hub.retained(filter)) {
          if (this.#running.get(worker) !== seen) return
          if (seen.has(message.topic)) continue
          seen.add(message.topic)
          this.#offer(worker, message)
        }
      }
    } catch (error) {
      this.#parts.log.error({ rule: name, reason: reasonOf(error) }, 'retained messages could not be read')
    } finally {
      if (this.#running.get(worker) === seen) this.#running.delete(worker)
    }
    if (this.#due.delete(worker)) await this.run(worker)
  }

  /** The rule is no more: it gets nothing of what is still being read. */
  forget(worker: RuleWorker): void {
    this.#running.delete(worker)
    this.#due.delete(worker)
  }

  #offer(worker: RuleWorker, message: Message): void {
    if (this.#parts.hub.remote !== undefined) {
      const digest = digestOf(message.payload)
      if (this.#last.get(worker)?.get(message.topic) === digest) return
      this.#remember(worker, message.topic, digest)
    }
    worker.offer({ event: eventOf(message, this.#parts.identity), chain: message.chain })
  }

  #remember(worker: RuleWorker, topic: string, digest: string): void {
    const last = this.#last.get(worker) ?? new Map<string, string>()
    this.#last.set(worker, last)
    last.delete(topic)
    last.set(topic, digest)
    if (last.size <= limits.ruleTimersMax) return
    this.#parts.counters.add('ruleTimersMax')
    for (const oldest of last.keys()) {
      last.delete(oldest)
      break
    }
  }
}

function digestOf(payload: Uint8Array): string {
  return createHash('sha1').update(payload).digest('base64')
}
