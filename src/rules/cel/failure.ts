import { DamselflyError, reasonOf } from '../../core/errors.ts'
import { limits } from '../../core/limits.ts'

/**
 * An expression that cannot be worked out for this message. Thrown inside the evaluation only.
 * @NOTE not an Error: messages without the wanted field are everyday, and a stack trace that nobody
 * reads would cost more than the expression. Its text is made when someone asks for it.
 */
export class Failure {
  readonly #reason: () => string
  /** Whether nothing may go on after it, not even the other side of an `||`. */
  readonly isFinal: boolean

  constructor(reason: () => string, isFinal = false) {
    this.#reason = reason
    this.isFinal = isFinal
  }

  get reason(): string {
    return this.#reason()
  }
}

export function fail(reason: () => string): never {
  throw new Failure(reason)
}

/** The failure that CEL lets `&&`, `||`, `all` and `exists` set aside; anything else is thrown on. */
export function setAside(thrown: unknown): Failure {
  if (thrown instanceof Failure && !thrown.isFinal) return thrown
  throw thrown
}

/** Why an evaluation threw, in words. */
export function failureReason(thrown: unknown): string {
  if (thrown instanceof Failure) return thrown.reason
  // The stack or the longest text that V8 can have: deeply nested or huge payloads.
  if (thrown instanceof RangeError) return 'a value is nested too deeply or grows too large'
  return reasonOf(thrown)
}

export function failedError(source: string, thrown: unknown): DamselflyError {
  const cause = thrown instanceof Failure ? {} : { cause: thrown }
  return new DamselflyError('EXPRESSION_FAILED', `${source}: ${failureReason(thrown)}`, cause)
}

let stepsLeft = 0

/** To be called before each evaluation: it has `limits.expressionStepsMax` steps. */
export function allowSteps(): void {
  stepsLeft = limits.expressionStepsMax
}

export function stepsAllowed(): number {
  return stepsLeft
}

/** Counts work that grows with a message, so that a hostile one cannot keep the process busy. */
export function spend(steps: number): void {
  stepsLeft -= steps
  if (stepsLeft < 0)
    throw new Failure(() => `too much work: more than ${limits.expressionStepsMax} steps`, true)
}

/** Counts a search in a text. @NOTE V8's search takes length times length for texts made to that end. */
export function spendSearch(text: string, wanted: string): void {
  spendChars(text.length)
  if (wanted.length <= text.length) spend(Math.floor((text.length * wanted.length) / 2_048))
}

/** Counts work that passes over so many characters or bytes. */
export function spendChars(chars: number): void {
  spend(chars >> 6)
}
