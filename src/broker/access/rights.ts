import type { AclLine } from '../../core/access.ts'
import { DecisionMemory, type Rememberer } from './decision-memory.ts'
import { type LineSet, says } from './line-set.ts'
import type { Who } from './template.ts'

/** An answer, and why it is so. */
export interface Decision {
  readonly isAllowed: boolean
  /** The line that decided; undefined when none speaks of it, and it is a no for that. */
  readonly line: AclLine | undefined
}

/**
 * What one client may do by one access control list. A line that denies holds against all others, wherever it stands;
 * what no line allows is denied. Decisions are remembered as long as there is room.
 */
export class Rights implements Rememberer {
  /** As it is shown to people. */
  readonly file: string
  readonly #who: Who
  readonly #sets: readonly LineSet[]
  readonly #memory: DecisionMemory
  /** `says.read` and `says.write` by topic. */
  readonly #known = new Map<string, number>()
  #bytes = 0
  /** Of the last refusal: what is refused once is often asked again. */
  #refused: { readonly topic: string; readonly decision: Decision } | undefined

  constructor(file: string, who: Who, sets: readonly LineSet[], memory: DecisionMemory) {
    this.file = file
    this.#who = who
    this.#sets = sets
    this.#memory = memory
  }

  /** Whether a message with this topic, which is valid, may be delivered to it. */
  mayRead(topic: string): boolean {
    return ((this.#known.get(topic) ?? this.#decide(topic)) & says.read) !== 0
  }

  /** Whether it may publish to this topic, which is valid. */
  mayWrite(topic: string): boolean {
    return ((this.#known.get(topic) ?? this.#decide(topic)) & says.write) !== 0
  }

  /**
   * Whether it may subscribe to this filter, which is valid. To one with wildcards it may when a line allows a topic that
   * matches: what of the messages it may read is decided for each topic.
   */
  mayAskFor(filter: string): boolean {
    return this.explainFilter(filter).isAllowed
  }

  /** Why it may not publish to this topic, which `mayWrite` has refused. */
  explainRefusal(topic: string): Decision {
    if (this.#refused?.topic !== topic) this.#refused = { topic, decision: this.explain(topic, 'write') }
    return this.#refused.decision
  }

  /** The same decision as `mayRead` or `mayWrite`, with the line; slower. */
  explain(topic: string, verb: 'read' | 'write'): Decision {
    const denied = this.#first((set) => set.find(topic, says.deny, this.#who))
    if (denied !== undefined) return { isAllowed: false, line: denied }
    const line = this.#first((set) => set.find(topic, says[verb], this.#who))
    return { isAllowed: line !== undefined, line }
  }

  /** The same for `mayAskFor`. */
  explainFilter(filter: string): Decision {
    if (!filter.includes('+') && !filter.includes('#')) return this.explain(filter, 'read')
    const line = this.#first((set) => set.findOverlapping(filter, says.read, this.#who))
    return { isAllowed: line !== undefined, line }
  }

  forget(): number {
    const bytes = this.#bytes
    this.#known.clear()
    this.#bytes = 0
    return bytes
  }

  #decide(topic: string): number {
    let bits = 0
    for (const set of this.#sets) bits |= set.bitsOf(topic, this.#who)
    if ((bits & says.deny) !== 0) bits = 0
    const bytes = DecisionMemory.bytesOf(topic)
    this.#known.set(topic, bits)
    this.#bytes += bytes
    this.#memory.add(this, bytes)
    return bits
  }

  #first(find: (set: LineSet) => AclLine | undefined): AclLine | undefined {
    let first: AclLine | undefined
    for (const set of this.#sets) {
      const found = find(set)
      if (found !== undefined && (first === undefined || found.line < first.line)) first = found
    }
    return first
  }
}
