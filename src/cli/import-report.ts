import type { Move } from '../moving/move.ts'
import type { Outcome } from '../moving/outcome.ts'
import type { Credentials } from './import-doors.ts'
import { type Paint, plain } from './terminal.ts'

const secretNames = /password|psk/

/** What became of each line, for people: first what somebody has to look at. */
export function importReport(move: Move, paint: Paint): string[] {
  const of = (kind: Outcome['kind']): readonly Outcome[] =>
    move.outcomes.filter((outcome) => outcome.kind === kind)
  const lost = of('lost')
  const taken = of('taken')
  const same = of('same')
  const lines = [paint('bold', `${count(taken.length, 'line')} taken over`)]
  lines.push(...table(taken.map((outcome) => [written(outcome), outcome.text])))
  if (same.length > 0) {
    lines.push(
      '',
      paint('bold', `${count(same.length, 'line')} that need${same.length === 1 ? 's' : ''} no setting here`),
    )
    lines.push(...table(same.map((outcome) => [written(outcome), outcome.text])))
  }
  if (lost.length > 0) {
    lines.push('', paint('yellow', `${count(lost.length, 'line')} to look at: nothing here is like it`))
    for (const outcome of lost) {
      const { place } = outcome.statement
      lines.push(`  ${place.file}:${place.line}: ${written(outcome)}`, `    ${outcome.text}.`)
    }
  }
  for (const note of move.notes) lines.push('', `${paint('yellow', 'Note:')} ${note}.`)
  return lines
}

/** For programs: what stands in the report, and what is to be written. */
export function importJson(move: Move): unknown {
  return {
    env: Object.fromEntries(move.env),
    listeners: Object.fromEntries(move.listeners),
    bridges: Object.fromEntries(move.bridges),
    files: move.copies.map(({ from, to }) => ({ from, to })),
    lines: move.outcomes.map(({ statement: { place, name }, kind, text }) => ({
      file: place.file,
      line: place.line,
      option: name,
      outcome: kind,
      text,
    })),
    notes: move.notes,
  }
}

/** A line as it is written, without what is secret in it. */
function written({ statement: { name, value } }: Outcome): string {
  return plain(`${name} ${secretNames.test(name) && !name.endsWith('_file') ? '…' : value}`)
}

const leftMax = 44

function table(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.min(leftMax, Math.max(0, ...rows.map(([left]) => left.length)))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}

export function count(amount: number, what: string): string {
  return `${amount} ${what}${amount === 1 ? '' : 's'}`
}

/** How many retained messages may be missing; undefined when the broker does not say how many there are. */
export function missingCount({
  topics,
  countOfBroker,
  beyondBound,
}: Pick<CopiedMessages, 'topics' | 'countOfBroker' | 'beyondBound'>): number | undefined {
  return countOfBroker === undefined ? undefined : Math.max(0, countOfBroker - topics.size - beyondBound)
}

/** What was copied, and what seems to be missing. */
export function copyReport(copy: CopiedMessages, credentials: Credentials | undefined): string[] {
  const { topics, isFollowing, beyondBound } = copy
  const who = credentials?.username ?? 'who gives no name'
  const lines = [`copied ${count(topics.size, 'retained message')}`]
  const missing = missingCount(copy)
  if (beyondBound > 0)
    lines.push(`${beyondBound} more than MAX_RETAINED_MESSAGES were left: set it in .env, and import again`)
  if (missing === undefined) lines.push(`how many there are is not known: ${who} may not read $SYS`)
  else if (missing > 0)
    lines.push(
      `mosquitto seems to have ${missing} more, which ${who} may not read: give --username and --password of somebody who may`,
    )
  if (!isFollowing)
    lines.push('this broker speaks no MQTT 5: what changed while it was copied may be missing')
  return lines
}

/** What `RetainedCopy` tells of itself. */
export interface CopiedMessages {
  readonly topics: ReadonlySet<string>
  readonly countOfBroker: number | undefined
  readonly isFollowing: boolean
  readonly beyondBound: number
}
