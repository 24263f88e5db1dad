const shownMax = 200

/** Fields for a log line: client ids, topics and filters come from anybody, in any length, and a line is for reading. */
export function cut(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(fields).map(([key, value]) => {
    const isLong = typeof value === 'string' && value.length > shownMax
    return [key, isLong ? `${value.slice(0, shownMax)}…` : value]
  })
  return Object.fromEntries(entries)
}

/** What people call an address: `::ffff:10.0.0.5` → `10.0.0.5`. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
