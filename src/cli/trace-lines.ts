import type {
  ControlAnswer,
  TracedMessage,
  TracedOutcome,
  TracedRule,
  TracedStep,
} from '../control/protocol.ts'
import { limits } from '../core/limits.ts'
import { ownClientId } from '../core/message.ts'
import { nearest } from '../core/nearest.ts'
import { formatDuration } from '../core/units.ts'
import { localTime, type Paint, plain, type Style } from './terminal.ts'

const payloadCharsMax = 200
/** As wide as a time with milliseconds. */
const margin = ' '.repeat('12:00:00.000'.length + 2)

const outcomes: Readonly<Record<TracedOutcome['outcome'], readonly [mark: string, words: string, Style]>> = {
  fired: ['✔', 'fired', 'green'],
  else: ['✔', 'else', 'green'],
  missed: ['✖', 'no', 'dim'],
  waiting: ['…', 'waits', 'yellow'],
  throttled: ['✖', 'throttled', 'yellow'],
  disarmed: ['✖', 'not armed again yet', 'yellow'],
  cut: ['✖', 'cut: rules set each other off', 'red'],
  dropped: ['✖', 'cannot keep up: its oldest message was dropped', 'red'],
}

export interface TraceLinesOptions {
  readonly paint: Paint
  /** Also name the rules that do not listen to a topic. */
  readonly isAll: boolean
}

/**
 * A trace in lines for a person: a message, and below it what became of it. What comes when another message
 * has been shown since says to which one it belongs.
 */
export class TraceLines {
  readonly #options: TraceLinesOptions
  /** How late lines call a message. */
  readonly #names = new Map<number, string>()
  #rules: readonly TracedRule[] | undefined
  #shown: { readonly id: number; readonly ruleWidth: number; lastRule?: string } | undefined

  constructor(options: TraceLinesOptions) {
    this.#options = options
  }

  of(answer: ControlAnswer): string[] {
    if ('message' in answer) return this.#message(answer.message)
    if ('rule' in answer) return this.#rule(answer.rule)
    if ('step' in answer) return this.#step(answer.step)
    if ('rules' in answer) return this.#takeRules(answer.rules)
    if ('dropped' in answer)
      return [
        this.#paint('yellow', `${margin}${answer.dropped} lines left out: they came too fast to be shown`),
      ]
    return []
  }

  #takeRules(rules: readonly TracedRule[]): string[] {
    const isFirst = this.#rules === undefined
    this.#rules = rules
    return isFirst
      ? []
      : [this.#paint('dim', `${margin}from here on with the rules as they are now: ${rules.length}`)]
  }

  #message(message: TracedMessage): string[] {
    const { id, at, topic, qos, retain, client, rules } = message
    const time = localTime(at, { withMs: true })
    const name = topic === '' ? 'by the clock' : plain(topic)
    this.#shown = { id, ruleWidth: Math.max(0, ...rules.map((rule) => plain(rule).length)) }
    if (rules.length > 0) this.#remember(id, `${name} of ${time}`)
    const facts = [
      `qos ${qos}`,
      ...(retain ? ['retained'] : []),
      ...(client === '' ? [] : [`from ${plain(client)}`]),
    ]
    const head = [this.#paint('dim', time), this.#paint('bold', name)]
    if (topic !== '') head.push(payloadOf(message), this.#paint('dim', facts.join(', ')))
    const lines = [head.join('  ')]
    const remark = this.#remark(message)
    if (remark !== undefined) lines.push(`${margin}${this.#paint('yellow', remark)}`)
    if (this.#options.isAll && topic !== '') lines.push(...this.#others(rules))
    return lines
  }

  /** Why a pin does not obey, or why no rule listens; undefined when all is as it should be. */
  #remark({ topic, client, rules, order }: TracedMessage): string | undefined {
    if (order !== undefined && 'problem' in order) return plain(order.problem)
    if (rules.length > 0) return undefined
    if (order !== undefined) return `a command for the pin ${plain(order.pin)}; no rule`
    if (client === ownClientId) return undefined
    const near = nearestFilter(topic, this.#rules ?? [])
    return `no rule listens to ${plain(topic)}${near === undefined ? '' : `; nearest: ${plain(near)}`}`
  }

  #others(listening: readonly string[]): string[] {
    return (this.#rules ?? [])
      .filter(({ name }) => !listening.includes(name))
      .map(({ name, on }) => {
        const what = on.length === 0 ? 'goes by the clock' : `listens to ${on.join(', ')}`
        return `${margin}${this.#paint('dim', `· ${plain(name)}: ${plain(what)}`)}`
      })
  }

  #rule({ id, at, rule, outcome, why }: TracedOutcome): string[] {
    const [mark, words, style] = outcomes[outcome] ?? ['·', outcome, 'dim']
    const reason = why === undefined ? '' : `: ${plain(why)}`
    const shown = this.#shownAs(id)
    if (shown !== undefined) shown.lastRule = rule
    const name = plain(rule).padEnd(shown?.ruleWidth ?? 0)
    return [this.#below(id, at, `${this.#paint(style, mark)} ${name}  ${this.#paint(style, words)}${reason}`)]
  }

  #step({ id, at, rule, step, action, outcome, tookMs, reason }: TracedStep): string[] {
    const took = tookMs < 1_000 ? `${Number(tookMs.toPrecision(2))} ms` : formatDuration(Math.round(tookMs))
    const words =
      outcome === 'done'
        ? this.#paint('green', `done in ${took}`)
        : this.#paint('red', `failed after ${took}: ${plain(reason ?? 'no reason told')}`)
    const shown = this.#shownAs(id)
    const indent = shown === undefined ? '' : '    '
    const owner = shown?.lastRule === rule ? '' : `${plain(rule)}, ` // else it stands right above
    return [this.#below(id, at, `${indent}${owner}step ${step} ${plain(action)}  ${words}`)]
  }

  /** What is shown of a message, if that stands last. */
  #shownAs(id: number) {
    return this.#shown?.id === id ? this.#shown : undefined
  }

  /** Below its message while that stands last; else with its own time and the message's name. */
  #below(id: number, at: string, text: string): string {
    if (this.#shownAs(id) !== undefined) return `${margin}${text}`
    const name = this.#names.get(id) ?? 'an earlier message'
    return `${this.#paint('dim', localTime(at, { withMs: true }))}  ↳ ${name}: ${text}`
  }

  #remember(id: number, name: string): void {
    this.#names.set(id, name)
    if (this.#names.size <= limits.traceMessagesRemembered) return
    for (const oldest of this.#names.keys()) {
      this.#names.delete(oldest)
      break
    }
  }

  #paint(style: Style, text: string): string {
    return this.#options.paint(style, text)
  }
}

function payloadOf({ text, base64, bytes }: TracedMessage): string {
  if (bytes === 0) return '(empty)'
  if (text === undefined)
    return `(${bytes} bytes that are no text: ${base64?.slice(0, 40)}${bytes > 30 ? '…' : ''})`
  const shown = plain(text.slice(0, payloadCharsMax))
  return Buffer.byteLength(text) < bytes || text.length > payloadCharsMax
    ? `${shown}… (${bytes} bytes)`
    : shown
}

/** The filter that was most likely meant by a topic that none matches; wildcards are taken for what stands there. */
export function nearestFilter(topic: string, rules: readonly TracedRule[]): string | undefined {
  const levels = topic.split('/')
  const filters = new Map<string, string>()
  for (const filter of rules.flatMap(({ on }) => on)) {
    const filled = filter.split('/').flatMap((level, index) => {
      if (level === '#') return levels.slice(index)
      return level === '+' ? (levels[index] ?? level) : level
    })
    filters.set(filled.join('/'), filter)
  }
  const near = nearest(topic, filters.keys())
  return near === undefined ? undefined : filters.get(near)
}
