import { errnoOf } from '../core/errors.ts'

/** Time between the request to end and the order to. */
const killAfterMs = 2_000

/** A program that leads its own process group, and all that it starts there. */
export class ProcessGroup {
  readonly #pid: number
  readonly #onGone: () => void
  #kill: NodeJS.Timeout | undefined
  #isGone = false

  /** @param onGone called once, when nothing of the group is left to end */
  constructor(pid: number, onGone: () => void) {
    this.#pid = pid
    this.#onGone = onGone
  }

  /** SIGTERM to all of it now, SIGKILL two seconds later to what is left then. A second call does nothing. */
  end(): void {
    if (this.#isGone || this.#kill !== undefined) return
    if (!this.#send('SIGTERM')) return
    this.#kill = setTimeout(() => this.kill(), killAfterMs).unref()
  }

  /** SIGKILL to all of it. */
  kill(): void {
    if (this.#isGone) return
    this.#send('SIGKILL')
    this.#gone()
  }

  /** To be called when the program itself has ended: what it left behind ends too. */
  leaderEnded(): void {
    if (this.#isGone) return
    if (!this.#send(0)) this.#gone()
    else this.end()
  }

  // @NOTE the kernel keeps a group's number from being given away for as long as one of its processes lives
  #send(signal: NodeJS.Signals | 0): boolean {
    try {
      return process.kill(-this.#pid, signal)
    } catch (error) {
      return errnoOf(error) === 'EPERM' // they are there, but changed their user
    }
  }

  #gone(): void {
    clearTimeout(this.#kill)
    this.#isGone = true
    this.#onGone()
  }
}
