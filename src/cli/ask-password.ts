import { text } from 'node:stream/consumers'
import { DamselflyError } from '../core/errors.ts'

/** Of MQTT's binary data [MQTT-1.5.6]; nobody types so much. */
const passwordBytesMax = 65_535

/**
 * A password for this name: from the terminal, twice and unseen, or, where there is none, the first line of standard input
 * (a second line, if there is one, must be the same: mosquitto_passwd wants two).
 * @throws DamselflyError `USAGE` when it is empty, too long, or not the same twice
 */
export async function askPassword(name: string): Promise<string> {
  if (!process.stdin.isTTY) return fromInput(await text(process.stdin))
  return twiceUnseen(name)
}

/** @throws DamselflyError `USAGE` for one that cannot be a password */
export function checkedPassword(password: string): string {
  if (password === '') throw new DamselflyError('USAGE', 'the password is empty: nothing was changed')
  if (Buffer.byteLength(password) <= passwordBytesMax) return password
  throw new DamselflyError('USAGE', `the password is too long: at most ${passwordBytesMax} bytes, as in MQTT`)
}

function fromInput(input: string): string {
  const [first = '', second] = input.split(/\r?\n/)
  const password = checkedPassword(first)
  return second === undefined || second === '' ? password : twice(password, second)
}

function twice(password: string, again: string): string {
  if (again === password) return password
  throw new DamselflyError('USAGE', 'the two passwords are not the same: nothing was changed')
}

/**
 * The same line twice from the terminal, which does not show it. It is told so before the first question: what is typed at
 * once, or pasted with both lines, is not shown either, and Ctrl-C ends the question, not the program.
 * @throws DamselflyError `USAGE` for Ctrl-C or Ctrl-D, and as `askPassword`
 */
async function twiceUnseen(name: string): Promise<string> {
  const { stdin, stderr } = process
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  stderr.write(`password of ${name}: `)
  try {
    const lines = linesOf(stdin)
    const password = checkedPassword(await nextOf(lines))
    stderr.write('\nonce more: ')
    return twice(password, await nextOf(lines))
  } finally {
    stdin.setRawMode(false)
    stdin.pause()
    stderr.write('\n')
  }
}

async function nextOf(lines: AsyncGenerator<string>): Promise<string> {
  const { value } = await lines.next()
  if (typeof value === 'string') return value
  throw new DamselflyError('USAGE', 'not answered: nothing was changed')
}

/** Each line that is typed, until Ctrl-C, Ctrl-D or the end. */
async function* linesOf(terminal: NodeJS.ReadStream): AsyncGenerator<string> {
  let typed = ''
  for await (const keys of terminal.iterator({ destroyOnReturn: false })) {
    for (const key of keys as string) {
      if (key === '\u0003' || key === '\u0004') return
      if (key === '\r' || key === '\n') {
        yield typed
        typed = ''
      } else if (key === '\u007f' || key === '\b') typed = [...typed].slice(0, -1).join('')
      else if (key === '\u0015') typed = ''
      else typed += key
    }
  }
}
