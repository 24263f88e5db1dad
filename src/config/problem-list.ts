import { limits } from '../core/limits.ts'
import { type Problem, ProblemsError } from '../core/problems.ts'
import type { SourceText } from './source-text.ts'

/** What a mistake is about, beside its sentence. */
export interface ProblemDetails {
  /** The source text unless told; null leaves it out. */
  readonly found?: string | null
  readonly expected?: string | undefined
  readonly suggestion?: string | undefined
}

/** Collects mistakes, so that all of them are told at once. Keeps 100 and counts the rest. */
export class ProblemList {
  readonly #problems: Problem[] = []
  #more = 0

  get count(): number {
    return this.#problems.length + this.#more
  }

  add(problem: Problem): void {
    if (this.#problems.length < limits.configProblemsMax) this.#problems.push(problem)
    else this.#more++
  }

  /** A mistake between two offsets of a text, with its code frame. */
  at(source: SourceText, start: number, end: number, message: string, details: ProblemDetails = {}): void {
    // the frames of a million mistakes would not fit into memory
    if (this.#problems.length >= limits.configProblemsMax) {
      this.#more++
      return
    }
    const found = details.found === undefined ? source.excerpt(start, end) : details.found
    this.add({
      place: source.place(start),
      message,
      ...(found === null ? {} : { found }),
      ...(details.expected === undefined ? {} : { expected: details.expected }),
      ...(details.suggestion === undefined ? {} : { suggestion: details.suggestion }),
      frame: source.frame(start, end),
    })
  }

  /** By file, line and column; a last one says how many were not kept. */
  sorted(): readonly Problem[] {
    const sorted = this.#problems.toSorted(
      ({ place: a }, { place: b }) =>
        (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || a.line - b.line || a.column - b.column,
    )
    const last = sorted.at(-1)
    if (this.#more === 0 || last === undefined) return sorted
    const place = { file: last.place.file, line: 0, column: 0 }
    return [...sorted, { place, message: `and ${this.#more} more mistakes; put these right first` }]
  }

  /**
   * Warnings are told along with mistakes: a key that is ignored is often the cause of one that is missing.
   * @throws ProblemsError when there is a mistake
   */
  throwIfAny(warnings: ProblemList): void {
    if (this.count === 0) return
    for (const warning of warnings.#problems) this.add({ ...warning, isWarning: true })
    throw new ProblemsError(this.sorted())
  }
}
