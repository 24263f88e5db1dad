import { createInterface, type Interface } from 'node:readline/promises'
import { DamselflyError } from '../core/errors.ts'
import type { AccessChoice, LampChoice } from './init-files.ts'

const accessWords: ReadonlyMap<string, AccessChoice> = new Map([
  ['1', 'lan'],
  ['2', 'local'],
  ['3', 'everyone'],
  ['lan', 'lan'],
  ['local', 'local'],
  ['everyone', 'everyone'],
])

/** The connector of every Raspberry Pi with 40 pins has these; lines of other boards have names. */
const gpioMax = 27
const lampExpected = `a GPIO number from 0 to ${gpioMax}, the name of a line, or simulated`

/** Whom `--access` names. @throws DamselflyError `USAGE` */
export function accessOf(word: string): AccessChoice {
  const access = accessWords.get(word)
  if (access !== undefined && access === word) return access
  throw new DamselflyError('USAGE', `--access is lan, local or everyone, not "${word}"`)
}

/** What `--lamp` names. @throws DamselflyError `USAGE` */
export function lampOf(word: string): LampChoice {
  const lamp = readLamp(word)
  if (lamp !== undefined) return lamp
  throw new DamselflyError('USAGE', `--lamp is ${lampExpected}, not "${word}"`)
}

/** Asks a person at the terminal. */
export class Questions implements Disposable {
  readonly #lines: Interface
  readonly #end = new AbortController()

  constructor() {
    this.#lines = createInterface({ input: process.stdin, output: process.stdout })
    // Ctrl-C, and Ctrl-D
    this.#lines.once('SIGINT', () => this.#end.abort())
    this.#lines.once('close', () => this.#end.abort())
  }

  access(): Promise<AccessChoice> {
    const question = `Who may connect?
  1  devices that know a password, which is made now
  2  only programs on this machine
  3  everyone who can reach it, without a password
[1] `
    return this.#ask(question, (answer) => accessWords.get(answer || '1'), '1, 2 or 3')
  }

  lamp(usual: LampChoice): Promise<LampChoice> {
    const question = `The GPIO of a lamp, a relay or an LED? 17 is GPIO17, wherever that is on the connector;
"simulated" to try without one.
[${usual}] `
    return this.#ask(question, (answer) => (answer === '' ? usual : readLamp(answer)), lampExpected)
  }

  [Symbol.dispose](): void {
    this.#lines.close()
  }

  /** Asks until the answer is one. */
  async #ask<Value>(
    question: string,
    read: (answer: string) => Value | undefined,
    expected: string,
  ): Promise<Value> {
    for (;;) {
      const value = read((await this.#line(question)).trim())
      if (value !== undefined) return value
      console.log(`That is not ${expected}.`)
    }
  }

  async #line(question: string): Promise<string> {
    try {
      return await this.#lines.question(question, { signal: this.#end.signal })
    } catch (cause) {
      throw new DamselflyError('USAGE', 'not answered: nothing was written', { cause })
    }
  }
}

function readLamp(word: string): LampChoice | undefined {
  const [, number] = /^(?:GPIO)?(\d+)$/i.exec(word) ?? []
  if (number !== undefined) return Number(number) <= gpioMax ? Number(number) : undefined
  return /^[A-Za-z][\w.:+-]{0,31}$/.test(word) ? word : undefined
}
