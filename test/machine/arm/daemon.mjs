// The daemon of another architecture, which this system's kernel runs with qemu-user in a root file system of its own.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { until } from '../proof.mjs'

/** Seconds that a start may take: everything is emulated, and perhaps on a busy host. */
const startSeconds = 300

const program = '/usr/lib/damselfly/dist/main.js'

/** As the root sees itself: nothing of this system's, and what the emulator needs. */
const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  // Node 20.3 and newer use io_uring where the kernel seems to have it; qemu-user does not have all of it
  UV_USE_IO_URING: '0',
}

/** A house: a root file system with the package, and in it a folder with `.env`, `config/` and data. */
export class House {
  log = []
  notified = []
  #child
  #systemd

  /** @param root as this system sees it */
  constructor(root, folder = '/srv/house') {
    this.root = root
    this.folder = folder
    mkdirSync(`${root}${folder}/config`, { recursive: true })
  }

  /** The path of one of its files on this system. */
  path(file) {
    return `${this.root}${this.folder}/${file}`
  }

  /** Runs a program of that architecture there. @returns its exit code, and its two outputs as one text */
  run(command, args = [], { input = '', seconds = 240, env = {} } = {}) {
    const { promise, resolve } = withResolvers()
    const child = execFile(
      'chroot',
      [this.root, 'env', '-C', this.folder, command, ...args],
      { env: { ...environment, ...env }, timeout: seconds * 1_000, maxBuffer: 64 * 1_048_576 },
      (error, stdout, stderr) =>
        resolve({
          code: error === null ? 0 : (error.code ?? error.signal),
          stdout,
          text: `${stdout}${stderr}`.trim(),
        }),
    )
    child.stdin.on('error', () => {}).end(input)
    return promise
  }

  damselfly(args, options) {
    return this.run('node', [program, ...args], options)
  }

  /** Starts the daemon as systemd would, with a socket to notify. @returns whether it said READY=1 there */
  async start() {
    const socket = this.path('notify')
    await this.#listen(socket)
    const main = ['node', '--max-semi-space-size=1', '--v8-pool-size=1', program, 'start']
    this.#child = spawn('chroot', [this.root, 'env', '-C', this.folder, ...main], {
      env: { ...environment, NOTIFY_SOCKET: `${this.folder}/notify`, WATCHDOG_USEC: '4000000' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      createInterface(stream).on('line', (line) => this.log.push(line))
    return await this.heard('READY=1', startSeconds)
  }

  /** Waits until systemd's socket got this line since the last start. */
  heard(line, seconds = 120) {
    const isThere = () => this.notified.some((text) => text.split('\n').includes(line))
    return until((found) => found || this.hasEnded, isThere, seconds)
  }

  get hasEnded() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** The files that the daemon's process has in its memory, as this system's kernel knows them. */
  mapped() {
    const maps = readFileSync(`/proc/${this.#child.pid}/maps`, 'utf8')
    return [...new Set(maps.split('\n').map((line) => line.split(/\s+/)[5] ?? ''))]
  }

  /** Waits for a line of the log. @returns it, or '' */
  logged(text, seconds = 120) {
    const find = () => this.log.find((line) => line.includes(text)) ?? ''
    return until((line) => line !== '' || this.hasEnded, find, seconds)
  }

  /** @returns the exit code, or the signal's name */
  async stop(signal = 'SIGTERM') {
    if (!this.hasEnded) {
      this.#child.kill(signal)
      await once(this.#child, 'exit')
    }
    this.#systemd.kill()
    return this.#child.exitCode ?? this.#child.signalCode
  }

  /** Node has no unix datagram sockets. */
  async #listen(socket) {
    const program =
      'import json, os, socket, sys\n' +
      's = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n' +
      'os.path.exists(sys.argv[1]) and os.unlink(sys.argv[1])\n' +
      's.bind(sys.argv[1])\n' +
      'print("null", flush=True)\n' +
      'while True: print(json.dumps(s.recv(65536).decode()), flush=True)'
    this.notified = []
    this.log = []
    this.#systemd = spawn('python3', ['-c', program, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
    const lines = createInterface(this.#systemd.stdout)
    await once(lines, 'line')
    lines.on('line', (line) => this.notified.push(JSON.parse(line)))
  }
}

function withResolvers() {
  let resolve
  const promise = new Promise((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}
