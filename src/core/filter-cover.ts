/**
 * Filters that match all that these match, and of which no two match the same topic: whoever subscribes to them
 * gets each message once, also from a broker that sends a copy for each subscription [MQTT-3.3.5-1].
 * Two filters that overlap only in part become a wider one, `home/+/set` and `home/lamp/#` → `home/+/#`, so look at what
 * arrives. Filters are valid.
 */
export function filterCover(filters: Iterable<string>): readonly string[] {
  const cover: string[] = []
  for (const filter of filters) {
    let wide = filter
    for (;;) {
      const index = cover.findIndex((other) => overlap(other, wide))
      if (index === -1) break
      wide = joined(cover[index] as string, wide)
      cover.splice(index, 1)
    }
    cover.push(wide)
  }
  return cover
}

/** Whether there is a topic that matches both filters, which are valid. */
export function overlap(one: string, other: string): boolean {
  const a = one.split('/')
  const b = other.split('/')
  if (isHiddenFrom(a, b) || isHiddenFrom(b, a)) return false
  for (let index = 0; ; index++) {
    const [x, y] = [a[index], b[index]]
    if (x === '#' || y === '#') return true // '#' also matches the level above it
    if (x === undefined || y === undefined) return x === y
    if (x !== y && x !== '+' && y !== '+') return false
  }
}

/** A leading wildcard never matches a topic that begins with `$` [MQTT-4.7.2-1]. */
function isHiddenFrom([first]: readonly string[], [other]: readonly string[]): boolean {
  return (first === '+' || first === '#') && other?.startsWith('$') === true
}

/** The narrowest filter for both of two that overlap: up to a `#` they have the same number of levels. */
function joined(one: string, other: string): string {
  const b = other.split('/')
  const levels: string[] = []
  const a = one.split('/')
  for (let index = 0; index < Math.max(a.length, b.length); index++) {
    if (a[index] === '#' || b[index] === '#') return [...levels, '#'].join('/')
    levels.push(a[index] === b[index] ? (a[index] as string) : '+')
  }
  return levels.join('/')
}
