/** Who has work that need not wait. */
export interface TurnTaker<Job> {
  runNow(job: Job): void
}

/** How long jobs may go on, one message after the other, before the event loop gets its turn. */
const turnMs = 8
/** Less than this is not worth a look at how long a turn takes. */
const noticedMs = 0.25

/**
 * Jobs that run as soon as all rules have seen the message that they are about, without going through a queue. Their
 * share of a turn of the event loop is bounded; what comes when it is used up has to queue.
 */
export class Turn<Job> {
  // two lists in place of one of pairs: nothing is made for a message
  readonly #takers: TurnTaker<Job>[] = []
  readonly #jobs: Job[] = []
  #isOpen = false
  #isRunning = false
  #isEndDue = false
  #spentMs = 0

  /** Whether jobs may be added: a message is being shown to the rules, and there is time. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  open(): void {
    this.#isOpen = !this.#isRunning && this.#spentMs < turnMs
  }

  add(taker: TurnTaker<Job>, job: Job): void {
    this.#takers.push(taker)
    this.#jobs.push(job)
  }

  /** Runs what was added. */
  close(): void {
    this.#isOpen = false
    if (this.#isRunning || this.#jobs.length === 0) return
    this.#isRunning = true
    const beganMs = performance.now()
    for (let index = 0; index < this.#jobs.length; index++)
      (this.#takers[index] as TurnTaker<Job>).runNow(this.#jobs[index] as Job)
    this.#takers.length = 0
    this.#jobs.length = 0
    this.#isRunning = false
    this.#spent(performance.now() - beganMs)
  }

  /** @NOTE short ones add up over several turns: an end that nobody needs would cost more than they do. */
  #spent(ms: number): void {
    this.#spentMs += ms
    if (this.#spentMs < noticedMs || this.#isEndDue) return
    this.#isEndDue = true
    setImmediate(() => {
      this.#isEndDue = false
      this.#spentMs = 0
    })
  }
}
