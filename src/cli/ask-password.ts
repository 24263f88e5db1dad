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
  const password = checkedPassword(await unseen(`password of ${name}: `))
  if ((await unseen('once more: ')) === password) return password
  throw new DamselflyError('USAGE', 'the two passwords are not the same: nothing was changed')
}

/** @throws DamselflyError `USAGE` for one that cannot be a password */
export function checkedPassword(password: string): string {
  if (password === '') throw new DamselflyError('USAGE', 'the password is empty: nothing was changed')
  if (Buffer.byteLength(password) <= passwordBytesMax) return password
  throw new DamselflyError('USAGE', `the password is too long: at most ${passwordBytesMax} bytes, as in MQTT`)
}

function fromInput(input: string): string {
  const [first = '', second] = input.split(/\r?\n/)
  if (second === undefined || second === '' || second === first) return checkedPassword(first)
  throw new DamselflyError('USAGE', 'the two passwords are not the same: nothing was changed')
}

/** One line from the terminal, which does not show it. */
async function unseen(prompt: string): Promise<string> {
  const { stdin } = process
  process.stderr.write(prompt)
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  stdin.resume()
  try {
    return await new Promise((resolve, reject) => {
      let typed = ''
      stdin.on('data', (keys: string) => {
        for (const key of keys) {
          if (key === '\r' || key === '\n') return resolve(typed)
          if (key === '\u0003' || key === '\u0004')
            return reject(new DamselflyError('USAGE', 'not answered: nothing was changed'))
          if (key === '\u007f' || key === '\b') typed = [...typed].slice(0, -1).join('')
          else if (key === '\u0015') typed = ''
          else typed += key
        }
      })
    })
  } finally {
    stdin.removeAllListeners('data')
    stdin.setRawMode(false)
    stdin.pause()
    process.stderr.write('\n')
  }
}
