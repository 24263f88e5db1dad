import type { ActionDefinition } from '#src/core/action.js'
import type { Event } from '#src/core/event.js'
import { limits } from '#src/core/limits.js'
import type { Message, OutgoingMessage } from '#src/core/message.js'
import type { ActionRunner, Hub } from '#src/core/ports.js'
import type { Rule, Step, Trigger } from '#src/core/rule.js'
import { matchesFilter } from '#src/core/topics.js'

const place = { file: 'damselfly.yaml', line: 1, column: 1 }

/** A hub in memory: what is published reaches its subscribers in the same order, in a later turn. */
export class MemoryHub implements Hub {
  readonly published: OutgoingMessage[] = []
  readonly #subscribers = new Set<{ filters: readonly string[]; onMessage: (message: Message) => void }>()
  readonly #retained = new Map<string, Message>()

  async publish(outgoing: OutgoingMessage): Promise<void> {
    this.published.push(outgoing)
    const payload = typeof outgoing.payload === 'string' ? Buffer.from(outgoing.payload) : outgoing.payload
    const { topic, qos = 0, chain = [] } = outgoing
    const message: Message = { topic, payload, qos, retain: false, client: 'test', chain }
    if (outgoing.retain === true) this.#retained.set(topic, { ...message, retain: true })
    await Promise.resolve()
    for (const { filters, onMessage } of [...this.#subscribers])
      if (filters.some((filter) => matchesFilter(filter, topic))) onMessage(message)
  }

  subscribe(filters: string | readonly string[], onMessage: (message: Message) => void): () => void {
    const subscriber = { filters: [filters].flat(), onMessage }
    this.#subscribers.add(subscriber)
    return () => this.#subscribers.delete(subscriber)
  }

  async *retained(filter: string): AsyncIterable<Message> {
    for (const message of this.#retained.values()) if (matchesFilter(filter, message.topic)) yield message
  }
}

/** Runs actions as they are, without starting any. */
export const plainRunner: ActionRunner = {
  runnerFor: (action, rule) => (options, event, signal, chain) => {
    const context = {
      options,
      event,
      rule,
      chain,
      get signal() {
        return signal()
      },
    }
    return action.run(context as never) as Promise<void> | undefined
  },
}

/** A step that calls a function. */
export function step(
  run: (event: Event, context: { signal: AbortSignal; chain: readonly string[] }) => Promise<void> | void,
  overrides: Partial<Step> = {},
): Step {
  const action = {
    name: 'test',
    options: (z) => z.object({}),
    run: (context) => run(context.event, context as never),
  } satisfies ActionDefinition
  return { action, options: () => ({}), timeoutMs: limits.stepTimeoutMs, place, ...overrides }
}

/** A rule; its source is its name unless told. */
export function rule(
  name: string,
  trigger: Trigger | string,
  steps: readonly Step[],
  overrides: Partial<Rule> = {},
): Rule {
  return {
    name,
    isEnabled: true,
    trigger: typeof trigger === 'string' ? { kind: 'message', filters: [trigger] } : trigger,
    firesOnRetained: false,
    steps,
    place,
    source: name,
    ...overrides,
  }
}
