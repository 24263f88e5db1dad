/** Whether there is a topic that both filters match. Both are valid. */
export function filtersOverlap(one: string, other: string): boolean {
  const a = one.split('/')
  const b = other.split('/')
  if (isHidden(a, b) || isHidden(b, a)) return false
  for (let index = 0; ; index++) {
    const [x, y] = [a[index], b[index]]
    if (x === '#' || y === '#') return true // '#' also matches the level above it
    if (x === undefined || y === undefined) return x === y
    if (x !== y && x !== '+' && y !== '+') return false
  }
}

/** A leading wildcard never matches a topic that begins with `$` [MQTT-4.7.2-1]. */
function isHidden([first]: readonly string[], [wild]: readonly string[]): boolean {
  return first?.startsWith('$') === true && (wild === '+' || wild === '#')
}
