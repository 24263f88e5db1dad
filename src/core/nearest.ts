import { distance } from 'fastest-levenshtein'

/** The valid name that someone who wrote `word` most likely meant, or undefined when none is near. */
export function nearest(word: string, names: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase()
  let best: string | undefined
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1
  for (const name of names) {
    const steps = distance(wanted, name.toLowerCase())
    if (steps < bestDistance && steps < name.length) {
      best = name
      bestDistance = steps
    }
  }
  return best
}
