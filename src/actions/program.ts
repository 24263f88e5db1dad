import type { ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { oneLine } from './plain.ts'
import { ProcessGroup } from './process-group.ts'

/** How long after the program's end we wait for output that something else may still hold open. */
const drainMs = 250
const complaintCharsMax = 4_096
const complaintLines = 3

/** A program to run once. */
export interface ProgramOrder {
  /** An absolute path, or a name to be found in the `PATH` of `env`. */
  readonly file: string
  readonly args: readonly string[]
  readonly cwd: string | undefined
  readonly env: Readonly<Record<string, string>>
  /** Goes to its standard input; a program that does not read it is no failure. */
  readonly input: Uint8Array
  /** Whether its standard output is wanted; else it is thrown away unread. */
  readonly wantsOutput: boolean
  /** Ends it, and all that it started in its process group. */
  readonly signal: AbortSignal
}

/** Runs programs, each in a process group of its own, so that none outlives its step. */
export class Programs {
  readonly #groups = new Set<ProcessGroup>()

  /**
   * Resolves with the standard output when the program has ended with exit code 0. What it left running in
   * its process group is ended too.
   * @throws DamselflyError `EXEC_FAILED`: not found, another exit code, a signal, aborted, or more output
   *   than `limits.execOutputBytesMax`
   */
  async run(order: ProgramOrder): Promise<Buffer> {
    if (order.signal.aborted) throw failed(order, 'was not started: the step was ended before')
    const child = await start(order)
    const group = new ProcessGroup(child.pid as number, () => this.#groups.delete(group))
    this.#groups.add(group)
    const onAbort = (): void => group.end()
    order.signal.addEventListener('abort', onAbort, { once: true })
    if (order.signal.aborted) onAbort()

    const complaint = tailOf(child.stderr as Readable)
    const output = gather(child.stdout, () => group.end())
    const { code, signal } = await closed(child, group)
    order.signal.removeEventListener('abort', onAbort)

    if (order.signal.aborted) throw failed(order, 'was ended, for its step was')
    if (output.isTooMuch) {
      throw failed(order, `wrote more than ${limits.execOutputBytesMax} bytes to its standard output`, {
        limit: 'execOutputBytesMax',
      })
    }
    if (code !== 0) {
      const how = signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`
      const said = complaint()
      throw failed(order, said === '' ? how : `${how}: ${said}`)
    }
    return Buffer.concat(output.chunks)
  }

  /** Kills at once whatever is left. */
  kill(): void {
    for (const group of this.#groups) group.kill()
  }
}

async function start(order: ProgramOrder): Promise<ChildProcess> {
  const { spawn } = await import('node:child_process')
  try {
    const child = spawn(order.file, order.args, {
      cwd: order.cwd,
      env: order.env,
      detached: true, // a process group of its own
      stdio: ['pipe', order.wantsOutput ? 'pipe' : 'ignore', 'pipe'],
    })
    if (child.pid === undefined) await new Promise((_, reject) => child.once('error', reject))
    else endFirst(child.pid)
    child.stdin?.on('error', () => {}) // EPIPE: a program need not read what it is given
    child.stdin?.end(order.input)
    return child
  } catch (cause) {
    throw failed(order, await whyNotStarted(order, cause), { cause })
  }
}

/**
 * When memory is used up the kernel is to end this one, and what it starts, rather than us; proc_pid_oom_score_adj(5).
 * Elsewhere than on Linux, or when it has ended already, there is nothing to do.
 */
function endFirst(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, '1000')
  } catch {
    // it is as likely to be ended as we are
  }
}

async function whyNotStarted(order: ProgramOrder, cause: unknown): Promise<string> {
  const { access, stat } = await import('node:fs/promises')
  const errno = errnoOf(cause)
  if (errno === 'ENOENT') {
    // @NOTE the system says ENOENT for a folder or an interpreter that is missing, too
    const isFolder = order.cwd === undefined || (await stat(order.cwd).catch(() => undefined))?.isDirectory()
    if (!isFolder) return `cannot start: its folder ${order.cwd} does not exist`
    if (!order.file.startsWith('/')) return `is in none of the folders ${order.env['PATH']}`
    const isThere = await access(order.file).then(
      () => true,
      () => false,
    )
    return isThere
      ? 'cannot start: the interpreter in its first line (#!) does not exist'
      : 'cannot start: there is no such file'
  }
  if (errno === 'EACCES') return 'cannot start: the file is not executable for the user that runs Damselfly'
  return `cannot start: ${reasonOf(cause)}`
}

interface Output {
  readonly chunks: Buffer[]
  isTooMuch: boolean
}

function gather(stream: Readable | null, onTooMuch: () => void): Output {
  const output: Output = { chunks: [], isTooMuch: false }
  let bytes = 0
  stream?.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= limits.execOutputBytesMax) {
      output.chunks.push(chunk)
    } else if (!output.isTooMuch) {
      output.isTooMuch = true
      output.chunks.length = 0
      onTooMuch()
    }
  })
  return output
}

/** Keeps the end of what the program complains about; the result is its last lines as one line. */
function tailOf(stream: Readable): () => string {
  let tail = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    tail = (tail + text).slice(-complaintCharsMax)
  })
  return () => {
    const lines = tail.split('\n').filter((line) => line.trim() !== '')
    return oneLine(lines.slice(-complaintLines).join(' | '), 1_000)
  }
}

function closed(
  child: ChildProcess,
  group: ProcessGroup,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve) => {
    let drain: NodeJS.Timeout | undefined
    child.once('exit', () => {
      group.leaderEnded()
      // Something that left the process group may hold the pipes for ever.
      drain = setTimeout(() => {
        for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy()
      }, drainMs)
    })
    child.once('close', (code, signal) => {
      clearTimeout(drain)
      resolve({ code, signal })
    })
  })
}

function failed(
  order: ProgramOrder,
  how: string,
  options?: ConstructorParameters<typeof DamselflyError>[2],
): DamselflyError {
  return new DamselflyError('EXEC_FAILED', `${order.file} ${how}`, options)
}
