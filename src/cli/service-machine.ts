import { execFile } from 'node:child_process'
import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DamselflyError, errnoOf } from '../core/errors.ts'

/** How a command that was run ended; code 127 when there is no such program. */
export interface CommandResult {
  readonly code: number
  readonly stdout: string
}

export interface MachineOptions {
  /** Gets one line a step. */
  print(line: string): void
  /** Stands before each path that is looked at or written outside the package; `/` unless told. */
  readonly root?: string
  /** Who does it; this process's user unless told. */
  readonly uid?: number
  /** Runs `useradd`, `systemctl` and the like, never by a shell; for real unless told. */
  run?(program: string, args: readonly string[]): Promise<CommandResult>
}

/** The machine that is changed, its files below `root`. */
export class Machine {
  readonly uid: number
  readonly print: (line: string) => void
  readonly run: NonNullable<MachineOptions['run']>
  readonly #root: string

  constructor(options: MachineOptions) {
    this.uid = options.uid ?? process.getuid?.() ?? -1
    this.print = options.print
    this.run = options.run ?? runCommand
    this.#root = options.root ?? '/'
  }

  refusals(): string[] {
    return this.uid === 0 ? [] : ['this changes the system, and you are not root; use sudo']
  }

  async lacksSystemd(): Promise<string[]> {
    return (await this.has('/run/systemd/system')) ? [] : ['this machine does not run systemd']
  }

  path(path: string): string {
    return join(this.#root, path)
  }

  async has(path: string): Promise<boolean> {
    try {
      await stat(this.path(path))
      return true
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false
      throw error
    }
  }

  /** @returns what it printed @throws DamselflyError `SERVICE_FAILED` */
  async must(program: string, ...args: string[]): Promise<string> {
    const { code, stdout } = await this.run(program, args)
    if (code === 0) return stdout
    const command = [program, ...args].join(' ')
    throw new DamselflyError('SERVICE_FAILED', `${command} ended with code ${code}`)
  }

  async folder(path: string): Promise<void> {
    if (await this.has(path)) return
    await mkdir(this.path(path), { recursive: true })
    await chmod(this.path(path), 0o755)
    this.print(`created ${path}`)
  }

  async write(path: string, text: string, mode: number): Promise<void> {
    await writeFile(this.path(path), text, { mode })
    await chmod(this.path(path), mode) // the umask may have taken something away
  }

  /** Makes a symbolic link, in the place of what is there. */
  async link(to: string, path: string): Promise<void> {
    await rm(this.path(path), { force: true })
    await symlink(to, this.path(path))
  }

  /** Copies a file to where there is none. @returns whether there was none */
  async keepOrCopy(from: string, to: string, mode: number): Promise<boolean> {
    const text = await readFile(from)
    try {
      await writeFile(this.path(to), text, { mode, flag: 'wx' })
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
      this.print(`kept ${to}`)
      return false
    }
    await chmod(this.path(to), mode)
    this.print(`created ${to} from ${from}`)
    return true
  }
}

function runCommand(program: string, args: readonly string[]): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(program, args, (error, stdout) => {
      resolve({ code: error === null ? 0 : (child.exitCode ?? 127), stdout })
    })
    child.stderr?.pipe(process.stderr)
  })
}
