import assert from 'node:assert/strict'
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const follower = fileURLToPath(new URL('../support/system-follow-lan.js', import.meta.url))

function whyNot(): string | false {
  if (process.getuid?.() !== 0) return 'needs root for network namespaces'
  try {
    execFileSync('ip', ['netns', 'list'], { stdio: 'ignore' })
    return false
  } catch {
    return 'needs ip (iproute2)'
  }
}

interface Follower {
  /** Waits until the LAN address is `ip`; tells what `BIND=lan` means then. */
  (ip: string): Promise<{ bound: string[]; pending: string; logged: string[] }>
  /** Each LAN address that was told so far. */
  readonly seen: readonly string[]
}

/** A network namespace with the interfaces eth0 and wlan0, up, with a link and without an address. */
class Machine implements AsyncDisposable {
  readonly #name = `dfly${process.pid}`
  readonly #followers: ChildProcessByStdio<Writable, Readable, null>[] = []

  constructor() {
    execFileSync('ip', ['netns', 'add', this.#name])
    this.ip('link set lo up')
    for (const name of ['eth0', 'wlan0']) {
      this.ip(`link add ${name} type veth peer name far-${name}`)
      this.ip(`link set ${name} up`)
      this.ip(`link set far-${name} up`)
    }
  }

  ip(command: string): void {
    execFileSync('ip', ['-n', this.#name, ...command.split(' ')])
  }

  follow(firstAnswerMs = 0): Follower {
    const child = spawn('ip', ['netns', 'exec', this.#name, process.execPath, follower, `${firstAnswerMs}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#followers.push(child)
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const seen: string[] = []
    const next = async (ip: string) => {
      const tooLong = setTimeout(() => child.kill(), 5_000)
      try {
        for (;;) {
          const { value, done } = await lines.next()
          if (done) assert.fail(`never "${ip}"; saw ${seen.join(' ')}`)
          const [found = '', bound = '', pending = '', logged = ''] = value.split('|')
          seen.push(found)
          if (found === ip) return { bound: bound.split(','), pending, logged: logged.split(';') }
        }
      } finally {
        clearTimeout(tooLong)
      }
    }
    return Object.assign(next, { seen })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#followers) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.stdin.end()
      await once(child, 'exit')
    }
    execFileSync('ip', ['netns', 'del', this.#name])
  }
}

const skip = whyNot()

test('the LAN address is followed from none to one to another, and lost only when its link stays away', {
  skip,
}, async () => {
  await using machine = new Machine()
  machine.ip('link set wlan0 down')
  const next = machine.follow(2_000)
  const boot = await next('')
  assert.deepEqual(boot, {
    bound: ['127.0.0.1', '::1'],
    pending: 'there is no LAN address yet',
    logged: ['warn: no LAN address yet, waiting for one'],
  })
  machine.ip('addr add 10.77.0.5/24 dev eth0')
  assert.deepEqual((await next('10.77.0.5')).bound, ['10.77.0.5', '127.0.0.1', '::1'])
  machine.ip('addr add 10.77.3.6/24 dev eth0')
  machine.ip('addr del 10.77.0.5/24 dev eth0')
  const moved = await next('10.77.3.6')
  assert.deepEqual([moved.bound, moved.pending], [['10.77.3.6', '127.0.0.1', '::1'], ''])
  machine.ip('link set far-eth0 down')
  assert.equal((await next('')).logged.at(-1), 'warn: LAN address lost, waiting for another')
})

test('a short loss of the link changes nothing', { skip }, async () => {
  await using machine = new Machine()
  machine.ip('addr add 10.77.0.5/24 dev eth0')
  const next = machine.follow()
  await next('10.77.0.5')
  machine.ip('link set far-eth0 down')
  await new Promise((resolve) => setTimeout(resolve, 80))
  machine.ip('link set far-eth0 up')
  await new Promise((resolve) => setTimeout(resolve, 40))
  machine.ip('addr add 10.77.3.6/24 dev eth0 label eth0:1')
  machine.ip('addr del 10.77.0.5/24 dev eth0')
  await next('10.77.3.6')
  assert.deepEqual([...new Set(next.seen)], ['10.77.0.5', '10.77.3.6'])
})

test('of two default routes the one with the lowest metric names the LAN address, and a link without gateway yields', {
  skip,
}, async () => {
  await using machine = new Machine()
  machine.ip('addr add 10.77.0.5/24 dev eth0')
  machine.ip('addr add 10.77.1.5/24 dev wlan0')
  const next = machine.follow()
  await next('10.77.0.5') // no gateway anywhere: by name
  machine.ip('route add default via 10.77.1.1 dev wlan0 metric 600')
  await next('10.77.1.5')
  machine.ip('route add default via 10.77.0.1 dev eth0 metric 100')
  await next('10.77.0.5')
  machine.ip('route del default via 10.77.0.1 dev eth0 metric 100')
  await next('10.77.1.5')
})

test('on an IPv6-only link the LAN address is a unique local or global one', {
  skip,
}, async () => {
  await using machine = new Machine()
  const next = machine.follow()
  await next('')
  machine.ip('addr add 2001:db8:77::5/64 dev eth0 nodad')
  const { bound } = await next('2001:db8:77::5')
  assert.deepEqual(bound, ['127.0.0.1', '2001:db8:77::5', '::1'])
  machine.ip('addr add fd77::5/64 dev eth0 nodad')
  await next('fd77::5')
  machine.ip('addr add 169.254.7.7/16 dev eth0')
  machine.ip('-6 route add default via fd77::1 dev eth0 metric 100')
  machine.ip('addr add 10.77.0.5/24 dev wlan0') // IPv4, but the default route is elsewhere
  machine.ip('addr del fd77::5/64 dev eth0')
  await next('2001:db8:77::5')
})
