/**
 * Whether standard output takes more. A pipe or a terminal that nobody reads does not hold `write` back: what is written
 * piles up in this process.
 */
export class OutputRoom {
  #waiting: (() => void)[] = []
  #isOver = false

  constructor() {
    process.stdout.on('drain', () => this.#goOn())
  }

  get isFull(): boolean {
    return !this.#isOver && process.stdout.writableNeedDrain
  }

  /** Resolves when it takes more; undefined when it does already. */
  wait(): Promise<void> | undefined {
    if (!this.isFull) return undefined
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Nothing will be printed any more: nobody needs to wait. */
  end(): void {
    this.#isOver = true
    this.#goOn()
  }

  #goOn(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** Resolves when all that was written is out of this process, or after so long. @returns whether it is */
export function flushed(timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), timeoutMs)
    process.stdout.write('', () => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
