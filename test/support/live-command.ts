import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { root } from './daemon.js'
import { until } from './until.js'

// what a machine of tests may have, and makes Node see no colours
const absent = { NO_COLOR: undefined, FORCE_COLOR: undefined, CI: undefined }

const main = join(root, 'dist/main.js')

/** A command that goes on until it is ended; on a terminal if wanted. */
export class LiveCommand {
  readonly #child: ChildProcess
  stdout = ''
  stderr = ''

  constructor(context: TestContext, folder: string, argv: readonly string[], options: LiveOptions = {}) {
    const command = [process.execPath, main, ...argv]
    const [program, ...args] =
      options.isOnTerminal === true
        ? // `exec`, for a shell that stays between them, such as dash, would end with its own code at Ctrl-C
          ['script', '-qec', `exec ${command.map(quoted).join(' ')}`, '/dev/null']
        : command
    this.#child = spawn(program as string, args, {
      cwd: folder,
      env: { ...process.env, TERM: 'xterm', ...absent, ...options.env },
    })
    this.#child.stdout?.on('data', (chunk) => (this.stdout += chunk))
    this.#child.stderr?.on('data', (chunk) => (this.stderr += chunk))
    context.after(() => this.#child.kill('SIGKILL'))
  }

  /** Waits for a text on either output. */
  async says(what: RegExp): Promise<void> {
    const text = () => this.stdout + this.stderr
    await until(`${what} from the command`, () => {
      if (what.test(text())) return true
      if (this.#child.exitCode !== null) throw new Error(`it ended without ${what}: ${text()}`)
      return false
    })
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys)
  }

  /** @returns the exit code */
  async end(signal?: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode !== null) return this.#child.exitCode
    if (signal !== undefined) this.#child.kill(signal)
    const [code] = await once(this.#child, 'close')
    return code
  }
}

interface LiveOptions {
  readonly isOnTerminal?: boolean
  readonly env?: Readonly<Record<string, string>>
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`
