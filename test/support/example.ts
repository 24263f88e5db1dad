import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { freePort, root } from './daemon.js'
import { linePattern, outputPattern, type ReadmeCommand, readmeSteps } from './readme.js'
import { tempFolder } from './temp-folder.js'
import { until } from './until.js'

export interface ExampleOptions {
  /** The ports that its files name; each becomes a free one. 1883 unless told. */
  readonly ports?: readonly number[]
}

const main = join(root, 'dist/main.js')

/** Does in a copy of the example what its README says, word by word, and sees whether it shows what the README shows. */
export async function tryExample(
  context: TestContext,
  name: string,
  { ports = [1883] }: ExampleOptions = {},
): Promise<void> {
  const folder = await tempFolder(context)
  const example = join(folder, name)
  const freePorts = new Map<string, string>()
  for (const port of ports) freePorts.set(`${port}`, `${await freePort()}`)
  await copyWithPorts(join(root, 'examples', name), example, freePorts)
  const env = await surroundings(folder, freePorts.get('1883') ?? '1883')
  const readme = await readFile(join(example, 'README.md'), 'utf8')
  const terminals: Terminal[] = []
  context.after(() => Promise.all(terminals.map((terminal) => terminal.close())))
  for (const step of readmeSteps(readme)) {
    if (step.kind === 'command') {
      const terminal = new Terminal(step, example, env)
      terminals.push(terminal)
      await terminal.follow()
    } else {
      for (const line of step.lines) await seen(line, terminals)
    }
  }
}

async function seen(line: string, terminals: readonly Terminal[]): Promise<void> {
  const pattern = new RegExp(`^\\s*${linePattern(line)}\\s*$\\n`, 'm')
  const shown = (): string => terminals.map(({ command, output }) => `$ ${command}\n${output}`).join('\n')
  await until(`the line ${line}`, () => terminals.some((terminal) => terminal.take(pattern))).catch((error) =>
    assert.fail(`${error.message}\n${shown()}`),
  )
}

/** A command in a terminal of its own. */
class Terminal {
  readonly command: string
  output = ''
  readonly #step: ReadmeCommand
  readonly #child: ChildProcess
  #isClosed = false
  /** How far its output has been compared with the README. */
  #read = 0

  constructor(step: ReadmeCommand, cwd: string, env: NodeJS.ProcessEnv) {
    this.command = step.command
    this.#step = step
    this.#child = spawn('bash', ['-c', step.command], {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk) => (this.output += chunk))
    this.#child.once('close', () => {
      this.#isClosed = true
    })
  }

  /** Waits until it has shown what was told, and has ended if it should. */
  async follow(): Promise<void> {
    const { command, expected, runsOn } = this.#step
    const pattern = outputPattern(expected, !runsOn)
    const isDone = (): boolean => (runsOn ? pattern.test(this.output) || this.#isClosed : this.#isClosed)
    await until(`$ ${command}`, isDone).catch((error) => assert.fail(`${error.message}\n${this.output}`))
    assert.match(
      this.output,
      pattern,
      `$ ${command}\n${this.output}\nis not what the README shows:\n${expected.join('\n')}`,
    )
    this.#read = pattern.exec(this.output)?.[0].length ?? 0
  }

  /** Whether it has shown this since what was asked for last. */
  take(pattern: RegExp): boolean {
    const found = pattern.exec(this.output.slice(this.#read))
    if (found !== null) this.#read += found.index + found[0].length
    return found !== null
  }

  async close(): Promise<void> {
    if (this.#isClosed || this.#child.pid === undefined) return
    process.kill(-this.#child.pid, 'SIGTERM') // its group: the shell, and what it started
    await once(this.#child, 'close')
  }
}

async function copyWithPorts(from: string, to: string, ports: ReadonlyMap<string, string>): Promise<void> {
  await cp(from, to, { recursive: true, filter: (path) => !path.endsWith('/data') })
  for (const entry of await readdir(to, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const text = await readFile(path, 'utf8')
    await writeFile(
      path,
      text.replaceAll(/\b\d{4,5}\b/g, (number) => ports.get(number) ?? number),
    )
  }
}

/** As on the reader's machine: `npx` finds Damselfly, programs find its package, clients find its port. */
async function surroundings(folder: string, port: string): Promise<NodeJS.ProcessEnv> {
  const programs = join(folder, 'bin')
  const clients = join(folder, 'clients')
  await mkdir(programs)
  await mkdir(clients)
  await writeFile(join(programs, 'npx'), `#!/bin/sh\nshift\nexec "${process.execPath}" "${main}" "$@"\n`)
  await chmod(join(programs, 'npx'), 0o755)
  for (const client of ['mosquitto_pub', 'mosquitto_sub'])
    await writeFile(join(clients, client), `-p ${port}\n`)
  await mkdir(join(folder, 'node_modules'))
  await symlink(root, join(folder, 'node_modules/damselfly'))
  return {
    ...process.env,
    PATH: `${programs}:/usr/bin:${process.env['PATH']}`,
    XDG_CONFIG_HOME: clients,
    PORT: port,
    BIND: 'loopback',
    NAME: 'raspberrypi',
    GPIO_CHIP: 'simulated',
    LOG_FORMAT: 'pretty',
    NO_COLOR: '1',
  }
}
