import { distance } from 'fastest-levenshtein'

/** What other programs call it. */
const otherWords: ReadonlyMap<string, readonly string[]> = new Map([
  ['topic', ['on', 'publish']],
  ['if', ['when']],
  ['condition', ['when']],
  ['then', ['do']],
  ['action', ['do']],
  ['actions', ['do']],
  ['otherwise', ['else']],
  ['silence', ['after']],
  ['silent', ['after']],
  ['reset', ['until']],
  ['steps', ['do']],
  ['cron', ['at']],
  ['interval', ['every']],
  ['payload', ['text', 'json']],
  ['message', ['text', 'json']],
  ['body', ['text', 'json']],
  ['state', ['set']],
  ['value', ['set', 'text', 'values']],
  ['output', ['out']],
  ['input', ['in']],
  ['pin', ['gpio']],
  ['inverted', ['active']],
])

/** The valid name that someone who wrote `word` most likely meant, or undefined when none is near. */
export function nearest(word: string, names: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase()
  const valid = [...names]
  const sameThing = otherWords.get(wanted)?.find((name) => valid.includes(name))
  if (sameThing !== undefined) return sameThing
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1
  for (const name of valid) {
    const steps = distance(wanted, name.toLowerCase())
    if (steps < bestDistance && steps < name.length) {
      best = name
      bestDistance = steps
    }
  }
  return best
}
