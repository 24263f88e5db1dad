import { DamselflyError } from '../core/errors.ts'
import { formatDuration } from '../core/units.ts'

/**
 * One read at a time. A read of the kernel cannot be ended, and each that hangs holds one of the four threads that all
 * file access of the process goes through: while one hangs, the others fail at once instead of hanging, too.
 */
export class ReadLane {
  readonly #limitMs: number
  #last: Promise<unknown> = Promise.resolve()
  #hanging: string | undefined

  constructor(limitMs: number) {
    this.#limitMs = limitMs
  }

  /** @throws what `read` throws; DamselflyError `SENSOR_FAILED` when it takes longer than the limit, or another one does */
  run<Value>(what: string, read: () => Promise<Value>): Promise<Value> {
    const turn = this.#last.then(() => this.#start(what, read))
    this.#last = turn.catch(() => {})
    return turn
  }

  async #start<Value>(what: string, read: () => Promise<Value>): Promise<Value> {
    if (this.#hanging !== undefined)
      throw new DamselflyError(
        'SENSOR_FAILED',
        `${what} is not read while the kernel hangs in ${this.#hanging}`,
      )
    const reading = read()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#hanging = what
        const freed = (): void => {
          this.#hanging = undefined
        }
        reading.then(freed, freed)
        const limit = formatDuration(this.#limitMs)
        reject(new DamselflyError('SENSOR_FAILED', `${what}: the kernel has not answered within ${limit}`))
      }, this.#limitMs)
    })
    try {
      return await Promise.race([reading, late])
    } finally {
      clearTimeout(timer)
    }
  }
}
