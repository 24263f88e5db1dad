import { detached } from './detached.ts'

const shownMax = 200

/** A text from outside, cut to what is shown of it; it keeps nothing else in memory. */
export function shortened(text: string): string {
  return text.length > shownMax ? `${detached(text.slice(0, shownMax))}…` : text
}

/** Fields for a log line: client ids, topics and filters come from anybody, in any length, and a line is for reading. */
export function cut(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(fields).map(([key, value]) => {
    return [key, typeof value === 'string' && value.length > shownMax ? shortened(value) : value]
  })
  return Object.fromEntries(entries)
}

/** What people call an address: `::ffff:10.0.0.5` → `10.0.0.5`. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
