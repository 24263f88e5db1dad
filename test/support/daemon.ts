import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { tempFolder } from './temp-folder.js'
import { until } from './until.js'

/** The repository's root, seen from the compiled tests. */
export const root = join(import.meta.dirname, '../../..')
const main = join(root, 'dist/main.js')

export interface LogRecord extends Record<string, unknown> {
  readonly level: string
  readonly msg: string
}

/** A Damselfly of its own: the real command in a folder of its own, with simulated pins. */
export class TestDaemon {
  readonly folder: string
  readonly port: number
  readonly log: LogRecord[] = []
  readonly #child: ChildProcess
  readonly #clients: MqttClient[] = []
  #stderr = ''

  constructor(folder: string, port: number, child: ChildProcess) {
    this.folder = folder
    this.port = port
    this.#child = child
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) =>
      this.log.push(JSON.parse(line)),
    )
    child.stderr?.on('data', (chunk) => (this.#stderr += chunk))
  }

  get pid(): number {
    return this.#child.pid as number
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** The log lines with this message. */
  having(msg: string): LogRecord[] {
    return this.log.filter((record) => record.msg === msg)
  }

  /** Waits for a log line with this message; `count` of them when told. */
  async logged(msg: string, count = 1): Promise<LogRecord> {
    await until(
      `${count} × "${msg}" in the log\n${this.#stderr}${this.log.map((line) => JSON.stringify(line)).join('\n')}`,
      () => {
        if (this.hasExited && this.having(msg).length < count)
          throw new Error(`daemon ended: ${this.#stderr}`)
        return this.having(msg).length >= count
      },
    )
    return this.having(msg).at(count - 1) as LogRecord
  }

  async connect(options: IClientOptions = {}): Promise<MqttClient> {
    const client = mqtt.connect({
      host: '127.0.0.1',
      port: this.port,
      protocolVersion: 4,
      reconnectPeriod: 0,
      ...options,
    })
    this.#clients.push(client)
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve())
      client.once('error', reject)
      client.once('close', () => reject(new Error('closed before CONNACK')))
    })
    client.on('error', () => {})
    return client
  }

  /** Writes a file of the daemon's folder, `damselfly.yaml` into its config folder. */
  async write(file: string, text: string): Promise<void> {
    await writeFiles(this.folder, { [file]: text })
  }

  async reload(): Promise<void> {
    const before = this.having('configuration reloaded').length
    this.#child.kill('SIGHUP')
    await this.logged('configuration reloaded', before + 1)
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Stops it as systemd would. @returns the exit code */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    for (const client of this.#clients) client.end(true)
    if (!this.hasExited) {
      this.#child.kill(signal)
      await once(this.#child, 'exit')
    }
    return this.#child.exitCode
  }
}

export interface DaemonOptions {
  /** The content of `config/damselfly.yaml`. */
  readonly yaml?: string
  /** Lines of `.env`, after `PORT`, `BIND`, `NAME` and `GPIO_CHIP`. */
  readonly env?: string
  /** More files, by path in the daemon's folder. */
  readonly files?: Readonly<Record<string, string>>
  readonly folder?: string
  readonly port?: number
  /** `test` unless told. */
  readonly name?: string
  /** `BROKER_URL`; then it listens nowhere. */
  readonly attachedTo?: string
  /** Run inside this network namespace. */
  readonly netns?: string
  readonly bind?: string
  /** Variables of the process itself. */
  readonly environment?: Readonly<Record<string, string>>
}

/** Starts a daemon that goes with the test, and waits until it is ready. */
export async function startDaemon(context: TestContext, options: DaemonOptions = {}): Promise<TestDaemon> {
  const folder = options.folder ?? (await tempFolder(context))
  const port = options.port ?? (await freePort())
  const { attachedTo, bind = 'loopback', name = 'test', env = '' } = options
  const door = attachedTo === undefined ? `PORT=${port}\nBIND=${bind}` : `BROKER_URL=${attachedTo}`
  const dotenv = `${door}\nNAME=${name}\nGPIO_CHIP=simulated\n${env}\n`
  await writeFiles(folder, { '.env': dotenv, 'damselfly.yaml': options.yaml ?? '', ...options.files })
  const [command, ...prefix] =
    options.netns === undefined
      ? [process.execPath]
      : ['ip', 'netns', 'exec', options.netns, process.execPath]
  const child = spawn(command as string, [...prefix, main, 'start'], {
    cwd: folder,
    env: { ...process.env, ...options.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const daemon = new TestDaemon(folder, port, child)
  context.after(() => daemon.stop())
  await daemon.logged('ready')
  return daemon
}

/** Runs a command of `damselfly` in a folder. */
export async function runCommand(
  folder: string,
  argv: readonly string[],
  options: { input?: string; env?: Record<string, string> } = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [main, ...argv], {
    cwd: folder,
    env: { ...process.env, ...options.env },
  })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  child.stdin.end(options.input ?? '')
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, name === 'damselfly.yaml' ? 'config/damselfly.yaml' : name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text, { mode: name === '.env' ? 0o600 : 0o644 })
  }
}

/** A port that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

/** Runs `damselfly start` until its output matches, then stops it. */
export async function startUntil(folder: string, output: RegExp): Promise<string> {
  const child = spawn(process.execPath, [main, 'start'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk))
  const closed = once(child, 'close')
  try {
    await until(`${output} in the output`, () => output.test(text))
  } finally {
    child.kill()
    await closed
  }
  return text
}
