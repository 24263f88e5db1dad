import { limits } from '../core/limits.ts'
import type { PinOrder } from '../core/pin-order.ts'
import type { Rule } from '../core/rule.ts'
import { matchesFilter } from '../core/topics.ts'
import type { TraceEvent, TraceMessage, Tracer } from '../core/trace.ts'
import type { MessageAnswer, RuleAnswer, RulesAnswer, StepAnswer, TracedMessage } from './protocol.ts'

/** Characters of a name or a reason from outside that are passed on. */
const textCharsMax = 1_000

/** Somebody who wants to see what becomes of messages. */
export interface TraceReader {
  readonly filter: string
  /** Takes a line, or says that there is no room for it. Must not throw. */
  offer(line: Buffer): boolean
}

interface Watcher {
  readonly reader: TraceReader
  /** Messages of which it is told what follows; those that no rule listens to need no place here. */
  readonly ids: Set<number>
  /** The rules that it knows of. */
  rules?: readonly Rule[]
}

export interface TraceHubOptions {
  /** The rules that there are; another list after each reload. */
  readonly rules: () => readonly Rule[]
  /** What a message would tell a pin, if its topic is one for that. */
  readonly orderOf?: (message: TraceMessage) => PinOrder | undefined
}

/**
 * Passes on what the rules tell to those who watch. With nobody there it is off, and costs nothing.
 * A step is told to those who were told of its message, however late it ends, for the last
 * `limits.traceMessagesRemembered` messages.
 */
export class TraceHub implements Tracer {
  readonly #options: TraceHubOptions
  readonly #watchers = new Set<Watcher>()
  readonly #followers = new Set<() => void>()
  #rules: { readonly rules: readonly Rule[]; readonly line: Buffer } | undefined

  constructor(options: TraceHubOptions) {
    this.#options = options
  }

  get isOn(): boolean {
    return this.#watchers.size > 0
  }

  /** @returns ends it; a second call does nothing */
  watch(reader: TraceReader): () => void {
    const watcher: Watcher = { reader, ids: new Set() }
    this.#watchers.add(watcher)
    if (this.#watchers.size === 1) this.#switched()
    this.#tellRules(watcher)
    return () => {
      if (this.#watchers.delete(watcher) && this.#watchers.size === 0) this.#switched()
    }
  }

  follow(onSwitch: () => void): () => void {
    this.#followers.add(onSwitch)
    return () => this.#followers.delete(onSwitch)
  }

  tell(event: TraceEvent): void {
    let line: Buffer | undefined
    for (const watcher of this.#watchers) {
      if (!wants(watcher, event)) continue
      if (event.kind === 'message') this.#tellRules(watcher)
      line ??= encode(this.#answerOf(event))
      const isTaken = watcher.reader.offer(line)
      if (isTaken && event.kind === 'message' && event.rules.length > 0) remember(watcher.ids, event.id)
    }
  }

  #switched(): void {
    for (const onSwitch of this.#followers) onSwitch()
  }

  #answerOf(event: TraceEvent): MessageAnswer | RuleAnswer | StepAnswer {
    if (event.kind !== 'message') return answerOf(event)
    const order = this.#options.orderOf?.(event)
    return { message: { ...messageOf(event), ...(order === undefined ? {} : { order }) } }
  }

  /** Tells the rules, if they are not those that it knows. */
  #tellRules(watcher: Watcher): void {
    const rules = this.#options.rules()
    if (watcher.rules === rules) return
    if (this.#rules?.rules !== rules) this.#rules = { rules, line: rulesLine(rules) }
    if (watcher.reader.offer(this.#rules.line)) watcher.rules = rules
  }
}

function wants({ reader: { filter }, ids }: Watcher, event: TraceEvent): boolean {
  if (event.kind !== 'message') return ids.has(event.id)
  return event.topic === '' ? filter === '#' : matchesFilter(filter, event.topic)
}

function remember(ids: Set<number>, id: number): void {
  ids.add(id)
  if (ids.size <= limits.traceMessagesRemembered) return
  for (const oldest of ids) {
    ids.delete(oldest)
    break
  }
}

function answerOf(event: Exclude<TraceEvent, TraceMessage>): RuleAnswer | StepAnswer {
  const at = new Date().toISOString()
  if (event.kind === 'rule') {
    const { id, rule, outcome, why } = event
    return { rule: { id, at, rule, outcome, ...(why === undefined ? {} : { why: cut(why) }) } }
  }
  const { id, rule, step, action, outcome, tookMs, reason } = event
  const told = { id, at, rule, step, action, outcome, tookMs: Math.round(tookMs * 1_000) / 1_000 }
  return { step: { ...told, ...(reason === undefined ? {} : { reason: cut(reason) }) } }
}

function messageOf({ id, atMs, topic, payload, qos, retain, client, rules }: TraceMessage): TracedMessage {
  return {
    id,
    at: new Date(atMs).toISOString(),
    topic,
    ...excerptOf(payload),
    bytes: payload.length,
    qos,
    retain,
    client: cut(client),
    rules,
  }
}

/** The beginning of a payload: text if that is UTF-8, where a character that is cut in two is left out. */
export function excerptOf(payload: Uint8Array): Pick<TracedMessage, 'text' | 'base64'> {
  const start = payload.subarray(0, limits.tracePayloadBytesMax)
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    return { text: decoder.decode(start, { stream: start.length < payload.length }) }
  } catch {
    const { buffer, byteOffset, length } = start
    return { base64: Buffer.from(buffer, byteOffset, length).toString('base64') }
  }
}

/** A text from outside, cut to what is passed on of it. */
export function cut(text: string): string {
  return text.length > textCharsMax ? `${text.slice(0, textCharsMax)}…` : text
}

/** A list that no reader would have room for is told as an empty one. */
function rulesLine(all: readonly Rule[]): Buffer {
  const rules = all
    .filter(({ isEnabled }) => isEnabled)
    .map(({ name, trigger }) => ({ name, on: trigger.kind === 'message' ? trigger.filters : [] }))
  const answer: RulesAnswer = { rules }
  const line = encode(answer)
  return line.length > limits.controlBacklogBytesMax / 2 ? encode({ rules: [] }) : line
}

function encode(answer: object): Buffer {
  return Buffer.from(`${JSON.stringify(answer)}\n`)
}
