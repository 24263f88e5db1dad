import { DamselflyError } from '../core/errors.ts'
import type { Statement } from './mosquitto-conf.ts'

/** What became of a line of mosquitto.conf. */
export interface Outcome {
  readonly statement: Statement
  /** It became a setting; nothing is to be written; somebody has to look at it. */
  readonly kind: 'taken' | 'same' | 'lost'
  /** Where it went, or why nowhere and what to do; no full stop. */
  readonly text: string
}

/** Collects the outcomes; each statement has one. */
export class Outcomes {
  readonly list: Outcome[] = []
  readonly #told = new Set<Statement>()

  taken(statement: Statement, text: string): void {
    this.#add({ statement, kind: 'taken', text })
  }

  same(statement: Statement, text: string): void {
    this.#add({ statement, kind: 'same', text })
  }

  lost(statement: Statement, text: string): void {
    this.#add({ statement, kind: 'lost', text })
  }

  has(statement: Statement): boolean {
    return this.#told.has(statement)
  }

  /** Runs what reads a value; a value that mosquitto would refuse is told. */
  read(statement: Statement, read: () => void): void {
    try {
      read()
    } catch (error) {
      if (!(error instanceof DamselflyError)) throw error
      this.lost(statement, `${error.message}, and mosquitto refuses that; mend it`)
    }
  }

  #add(outcome: Outcome): void {
    if (this.#told.has(outcome.statement)) return
    this.#told.add(outcome.statement)
    this.list.push({ ...outcome, text: plain(outcome.text) })
  }
}

/** Markdown as a terminal shows it. */
function plain(text: string): string {
  return text
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replaceAll(/\*\*/g, '')
    .replaceAll('`', '')
    .replace(/\.$/, '')
}
