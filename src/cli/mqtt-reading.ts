import type { Arrival } from '../client/connection.ts'
import type { Link } from '../client/link.ts'
import { errnoOf } from '../core/errors.ts'
import { exitCodes } from './exit-codes.ts'
import { messagePrinter } from './message-format.ts'
import type { MqttArguments } from './mqtt-arguments.ts'
import { flushed, OutputRoom } from './output-room.ts'

/** Why it ends: it has what it should have, from outside with this exit code, or because of something thrown. */
type End = 'done' | number | Error

/** Time to say goodbye to the broker, and to print the rest. */
const goodbyeMs = 1_000
/** At most as many seconds as a timer can wait. */
const secondsMax = 999_999

/** What `sub` and `rr` do alike: print messages, until one of many things ends that. */
export class MqttReading {
  readonly room = new OutputRoom()
  readonly print: (message: Arrival) => void
  readonly #timeoutSeconds: number | undefined
  readonly #finished: Promise<End>
  #finish: (end: End) => void = () => {}
  #isOver = false

  /** @throws DamselflyError `USAGE` */
  static async begin(given: MqttArguments): Promise<MqttReading> {
    const timeoutSeconds = given.wholeNumber('-W', 1, secondsMax)
    const format = given.last('-F')
    const print = await messagePrinter({
      verbose: given.has('-v'),
      hasLineEnd: !given.has('-N'),
      isPretty: given.has('--pretty'),
      ...(format === undefined ? {} : { format }),
    })
    return new MqttReading(print, timeoutSeconds)
  }

  private constructor(print: (message: Arrival) => void, timeoutSeconds: number | undefined) {
    this.print = print
    this.#timeoutSeconds = timeoutSeconds
    this.#finished = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  /** Nothing is to be printed any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  finish(end: End): void {
    this.#isOver = true
    this.room.end()
    this.#finish(end)
  }

  /**
   * Waits until `finish` is called, `-W` is over (exit code 27), it is interrupted, or nobody reads any more; then ends
   * the link, and sets the exit code.
   * @throws what `finish` was given
   */
  async untilEnd(link: Link): Promise<void> {
    const forget = this.#endsFromOutside()
    const end = await this.#finished
    forget() // another signal ends it at once
    const rest = typeof end === 'number' ? flushed(goodbyeMs) : undefined
    await link.end(goodbyeMs)
    if (end instanceof Error) throw end
    process.exitCode = end === 'done' ? exitCodes.ok : end
    // what has been counted waits for its reader; who interrupts does not
    if ((await rest) === false) process.exit()
  }

  #endsFromOutside(): () => void {
    const onSignal = (): void => this.finish(exitCodes.ok)
    const signals = ['SIGINT', 'SIGTERM'] as const
    for (const signal of signals) process.on(signal, onSignal)
    // whoever reads may have had enough: sub … | head -1
    process.stdout.on('error', (error) => this.finish(errnoOf(error) === 'EPIPE' ? exitCodes.ok : error))
    const onTimeout = (): void => {
      console.error('Timed out')
      this.finish(exitCodes.timedOut)
    }
    const seconds = this.#timeoutSeconds
    const timer = seconds === undefined ? undefined : setTimeout(onTimeout, seconds * 1_000)
    return () => {
      clearTimeout(timer)
      for (const signal of signals) process.off(signal, onSignal)
    }
  }
}
