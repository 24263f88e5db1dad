import { createHash } from 'node:crypto'
import { reasonOf } from '../core/errors.ts'
import { eventOf } from '../core/event.ts'
import { limits } from '../core/limits.ts'
import type { Message } from '../core/message.ts'
import type { Hub } from '../core/ports.ts'
import type { LastSlot } from './last-messages.ts'
import type { RuleContext, RuleWorker } from './rule-worker.ts'

/**
 * Brings the retained messages to the rules that want to know them, `retained: true` or `after:`, and to `last(…)`: when
 * they begin, and, where the broker is elsewhere, once more when it may have others now; of those, a rule gets what is
 * not what it has seen last.
 */
export class RetainedReplay {
  readonly #hub: Hub
  readonly #context: RuleContext
  /** Topics that came while a rule's retained messages were being read: newer than what is read. */
  readonly #running = new Map<RuleWorker, Set<string>>()
  /** To be read once more when the reading that is under way is over. */
  readonly #due = new Set<RuleWorker>()
  /** For a broker elsewhere: what each rule has seen last, by topic; at most `ruleTimersMax` topics. */
  readonly #last = new WeakMap<RuleWorker, Map<string, string>>()

  constructor(hub: Hub, context: RuleContext) {
    this.#hub = hub
    this.#context = context
  }

  /** To be called with each message that a rule gets. */
  saw(worker: RuleWorker, message: Message): void {
    if (this.#running.size > 0) this.#running.get(worker)?.add(message.topic)
    // its payload is not to be looked at without need: that copies it
    if (this.#hub.remote !== undefined && worker.rule.firesOnRetained)
      this.#remember(worker, message.topic, digestOf(message.payload))
  }

  /** Resolves when the rule has been offered what was retained. Never rejects. */
  async run(worker: RuleWorker): Promise<void> {
    const { trigger, firesOnRetained, afterMs, name } = worker.rule
    if (trigger.kind !== 'message' || (!firesOnRetained && afterMs === undefined)) return
    for (const filter of trigger.filters) if (!/[+#]/.test(filter)) worker.expect(filter)
    if (this.#running.has(worker)) return void this.#due.add(worker)
    const seen = new Set<string>()
    this.#running.set(worker, seen)
    try {
      for (const filter of trigger.filters) {
        for await (const message of this.#hub.retained(filter)) {
          if (this.#running.get(worker) !== seen) return
          if (seen.has(message.topic)) continue
          seen.add(message.topic)
          this.#offer(worker, message)
        }
      }
    } catch (error) {
      this.#context.log.error({ rule: name, reason: reasonOf(error) }, 'retained messages could not be read')
    } finally {
      if (this.#running.get(worker) === seen) this.#running.delete(worker)
    }
    if (this.#due.delete(worker)) await this.run(worker)
  }

  /** Reads what is retained on the topic of a `last(…)`; what comes meanwhile is newer. Never rejects. */
  async read(slot: LastSlot): Promise<void> {
    const known = slot.message
    try {
      for await (const message of this.#hub.retained(slot.topic)) slot.noteRetained(message, known)
    } catch (error) {
      const fields = { lastOf: slot.topic, reason: reasonOf(error) }
      this.#context.log.error(fields, 'retained messages could not be read')
    }
  }

  /** The rule is no more: it gets nothing of what is still being read. */
  forget(worker: RuleWorker): void {
    this.#running.delete(worker)
    this.#due.delete(worker)
  }

  #offer(worker: RuleWorker, message: Message): void {
    if (this.#hub.remote !== undefined) {
      const digest = digestOf(message.payload)
      if (this.#last.get(worker)?.get(message.topic) === digest) return
      this.#remember(worker, message.topic, digest)
    }
    const traceId = this.#context.traceIds.message(message, [worker.rule.name])
    const event = eventOf(message, this.#context.identity)
    worker.offerRetained({ event, chain: message.chain, traceId })
  }

  #remember(worker: RuleWorker, topic: string, digest: string): void {
    const last = this.#last.get(worker) ?? new Map<string, string>()
    this.#last.set(worker, last)
    last.delete(topic)
    last.set(topic, digest)
    if (last.size <= limits.ruleTimersMax) return
    this.#context.counters.add('ruleTimersMax')
    for (const oldest of last.keys()) {
      last.delete(oldest)
      break
    }
  }
}

function digestOf(payload: Uint8Array): string {
  return createHash('sha1').update(payload).digest('base64')
}
