import { harmlessText } from './harmless.ts'
import { priorities } from './journal-stream.ts'

const nameCharsMax = 64 // longer names are thrown away by the journal
const prefix = 'DAMSELFLY_'

/**
 * A line of the log as the journal's native protocol takes it: the line itself as `MESSAGE`, its level as `PRIORITY`, and
 * each of its fields as `DAMSELFLY_FIELD`, texts as they are, everything else in JSON.
 * systemd.io/JOURNAL_NATIVE_PROTOCOL, systemd.journal-fields(7)
 *
 * @param line JSON, without a line break in it
 */
export function journalEntry(line: string): Buffer {
  const { level: _level, time: _time, msg: _msg, ...fields } = JSON.parse(line)
  const parts = [
    assignment('MESSAGE', line),
    assignment('PRIORITY', String(priorityOf(line))),
    assignment('SYSLOG_IDENTIFIER', 'damselfly'),
  ]
  for (const [key, value] of Object.entries(fields)) {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    parts.push(assignment(fieldName(key), harmlessText(text)))
  }
  return Buffer.concat(parts)
}

/**
 * Of a line of the log; that of `info` when its level is unknown.
 * @NOTE the level is what the line begins with: a later `level` is a field that an action has logged
 */
export function priorityOf(line: string): number {
  const level = /^\{"level":"(\w+)"/.exec(line)?.[1] ?? ''
  const known: Readonly<Record<string, number>> = priorities
  return (Object.hasOwn(known, level) ? known[level] : undefined) ?? priorities.info
}

/** `lanClients` is `DAMSELFLY_LAN_CLIENTS`. */
function fieldName(key: string): string {
  const words = key.replaceAll(/([a-z\d])([A-Z])/g, '$1_$2').toUpperCase()
  return `${prefix}${words.replaceAll(/[^A-Z\d_]/g, '_')}`.slice(0, nameCharsMax)
}

/** A value with a line break has its length before it. */
function assignment(name: string, value: string): Buffer {
  if (!value.includes('\n')) return Buffer.from(`${name}=${value}\n`)
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(bytes.length))
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n')])
}
