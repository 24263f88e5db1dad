import { userLines } from '../config/users-file.ts'

/**
 * A text of users in which this one has this hash: in its line, or in a new one at the end. Comments and all other lines
 * stay as they are.
 */
export function withUser(text: string, name: string, hash: string): string {
  const all = linesOf(text)
  const first = all.findIndex((line) => nameIn(line) === name)
  if (first === -1) return joined([...all, `${name}:${hash}`])
  return joined(
    all.flatMap((line, index) => {
      if (nameIn(line) !== name) return [line]
      return index === first ? [`${name}:${hash}`] : []
    }),
  )
}

/** A text of users without this one. */
export function withoutUser(text: string, name: string): string {
  const rest = joined(linesOf(text).filter((line) => nameIn(line) !== name))
  return rest === '' ? '# nobody\n' : rest // an empty file is taken for one that was lost
}

function linesOf(text: string): string[] {
  const lines = text.split(/\r?\n/)
  if (lines.at(-1) === '') lines.pop()
  return lines
}

function joined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('')
}

function nameIn(line: string): string | undefined {
  return userLines(line)[0]?.name
}
