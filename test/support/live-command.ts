import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { root } from './daemon.js'
import { until } from './until.js'

const main = join(root, 'dist/main.js')

/** A command that goes on until it is ended; on a terminal if wanted. */
export class LiveCommand {
  readonly #child: ChildProcess
  stdout = ''
  stderr = ''

  constructor(context: TestContext, folder: string, argv: readonly string[], options: LiveOptions = {}) {
    const { user, env = {} } = options
    const command = [process.execPath, main, ...argv]
    const [program, ...args] =
      options.isOnTerminal === true ? ['script', '-qec', command.map(quoted).join(' '), '/dev/null'] : command
    this.#child = spawn(program as string, args, {
      cwd: folder,
      env: { ...process.env, TERM: 'xterm', NO_COLOR: undefined, ...env },
      ...(user === undefined ? {} : user),
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
  readonly user?: { readonly uid: number; readonly gid: number }
}

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`
