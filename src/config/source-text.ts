import type { Place } from '../core/problems.ts'

const excerptUnitsMax = 60
const frameUnitsMax = 100
const linesAround = 2

/** A text file that a person wrote, and where things stand in it. Offsets are UTF-16 units from 0. */
export class SourceText {
  /** The file's name as people should read it. */
  readonly file: string
  /** With `\n` at the end of each line, whatever the file has. */
  readonly text: string
  readonly #lineStarts: number[] = [0]

  constructor(file: string, text: string) {
    this.file = file
    this.text = text.replace(/\r\n?/g, '\n')
    for (let at = this.text.indexOf('\n'); at !== -1; at = this.text.indexOf('\n', at + 1))
      this.#lineStarts.push(at + 1)
  }

  place(offset: number): Place {
    const line = this.#lineIndex(offset)
    return { file: this.file, line: line + 1, column: offset - (this.#lineStarts[line] as number) + 1 }
  }

  /** What stands between two offsets, on one line, shortened; `nothing` for an empty range. */
  excerpt(start: number, end: number): string {
    const text = visible(this.text.slice(start, end).trim().replaceAll(/\s+/g, ' '))
    if (text === '') return 'nothing'
    return text.length > excerptUnitsMax ? `${text.slice(0, excerptUnitsMax - 1)}…` : text
  }

  /** The line of `start` with a caret under it, and `around` lines before and after. */
  frame(start: number, end: number, around = linesAround): string {
    const middle = this.#lineIndex(start)
    const first = Math.max(0, middle - around)
    const lines = this.#lineStarts.length - (this.text.endsWith('\n') ? 1 : 0)
    const last = Math.max(middle, Math.min(lines - 1, middle + around))
    const width = String(last + 1).length
    const column = start - (this.#lineStarts[middle] as number)
    const cut = column > 0.7 * frameUnitsMax ? column - frameUnitsMax / 2 : 0 // long lines: around the caret
    const rows: string[] = []
    for (let index = first; index <= last; index++) {
      const shown = visible(this.#line(index).slice(cut, cut + frameUnitsMax)).trimEnd()
      const mark = index === middle ? '>' : ' '
      rows.push(`${mark} ${String(index + 1).padStart(width)} | ${shown}`.trimEnd())
      if (index !== middle) continue
      const room = this.#line(middle).length - column
      const length = Math.max(1, Math.min(end - start, room, frameUnitsMax - (column - cut)))
      rows.push(`  ${' '.repeat(width)} | ${' '.repeat(column - cut)}^${'~'.repeat(length - 1)}`)
    }
    return rows.join('\n')
  }

  #line(index: number): string {
    const next = this.#lineStarts[index + 1]
    return this.text.slice(this.#lineStarts[index], next === undefined ? undefined : next - 1)
  }

  #lineIndex(offset: number): number {
    let low = 0
    let high = this.#lineStarts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#lineStarts[middle] as number) <= offset) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** Tabs as arrows, other control characters as dots: what cannot be seen cannot be put right. */
function visible(text: string): string {
  return text.replaceAll('\t', '→').replaceAll(/\p{Cc}/gu, '·')
}
