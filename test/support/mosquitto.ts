import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { freePort } from './daemon.js'
import { tempFolder } from './temp-folder.js'
import { until } from './until.js'

export interface MosquittoOptions {
  /** Lines of `mosquitto.conf`, after the listener; anybody may connect unless told. */
  readonly config?: string
  /** Listens here; loopback unless told. */
  readonly address?: string
  /** Run inside this network namespace. */
  readonly netns?: string
  /** More files, by name in its folder, which is the working directory. */
  readonly files?: Readonly<Record<string, string>>
}

/** The sessions and retained messages are on the disk after each change: they survive a `kill -9`. */
export const persistent =
  'persistence true\npersistence_location ./state/\nautosave_on_changes true\nautosave_interval 1'

/** A mosquitto of its own, which may be killed and come back. It goes with the test. */
export class Mosquitto {
  readonly port: number
  readonly #folder: string
  readonly #netns: string | undefined
  #child: ChildProcess | undefined
  #output = ''

  constructor(folder: string, port: number, netns: string | undefined) {
    this.#folder = folder
    this.port = port
    this.#netns = netns
  }

  /** What it has logged since it began. */
  get output(): string {
    return this.#output
  }

  get pid(): number {
    return this.#child?.pid as number
  }

  async start(): Promise<void> {
    this.#output = ''
    const command = ['mosquitto', '-v', '-c', 'mosquitto.conf']
    const argv = this.#netns === undefined ? command : ['ip', 'netns', 'exec', this.#netns, ...command]
    const child = spawn(argv[0] as string, argv.slice(1), {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin` },
    })
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => {
        this.#output += chunk
      })
    this.#child = child
    await until(`mosquitto runs\n${this.#output}`, () => {
      if (child.exitCode !== null) throw new Error(`mosquitto ended: ${this.#output}`)
      return / running\n/.test(this.#output)
    })
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGCONT')
    child.kill(signal)
    await once(child, 'exit')
  }
}

export async function startMosquitto(
  context: TestContext,
  options: MosquittoOptions = {},
): Promise<Mosquitto> {
  const folder = await tempFolder(context)
  const port = await freePort()
  await mkdir(join(folder, 'state'))
  const lines = [
    'user root',
    `listener ${port} ${options.address ?? '127.0.0.1'}`,
    options.config ?? 'allow_anonymous true',
  ]
  await writeFile(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`)
  for (const [name, text] of Object.entries(options.files ?? {})) await writeFile(join(folder, name), text)
  const mosquitto = new Mosquitto(folder, port, options.netns)
  context.after(() => mosquitto.stop())
  await mosquitto.start()
  return mosquitto
}
