import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { findServiceManager } from '#src/system/service-manager.js'
import { recordingLog } from '../support/system-log.ts'

const skip = (() => {
  try {
    execFileSync('python3', ['-c', ''])
    return false
  } catch {
    return 'needs python3 as receiver of unix datagrams'
  }
})()

const receiverProgram = `
import json, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
name = sys.argv[1]
s.bind('\\0' + name[1:] if name.startswith('@') else name)
print('bound', flush=True)
for line in sys.stdin:
    print(json.dumps(s.recv(65536).decode()), flush=True)
`

/** A unix datagram socket; `receive` takes the next message, and nothing is taken before it is called. */
async function receiver(address: string) {
  const child = spawn('python3', ['-c', receiverProgram, address], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  await lines.next()
  return {
    async receive(): Promise<string> {
      child.stdin.write('\n')
      return JSON.parse((await lines.next()).value)
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end()
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}

async function tempDir() {
  const path = await mkdtemp(join(tmpdir(), 'damselfly-notify-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

test('systemd hears of each state at a path', { skip }, async () => {
  await using dir = await tempDir()
  const socket = join(dir.path, 'notify')
  await using systemd = await receiver(socket)
  const log = recordingLog()
  const manager = await findServiceManager({ NOTIFY_SOCKET: socket }, log)
  assert.equal(manager.isPresent, true)
  manager.notify({ kind: 'ready', status: 'listening\nX=1 on 10.77.0.5' })
  assert.equal(await systemd.receive(), 'READY=1\nSTATUS=listening X=1 on 10.77.0.5')
  manager.notify({ kind: 'watchdog' })
  assert.equal(await systemd.receive(), 'WATCHDOG=1')
  manager.notify({ kind: 'status', status: '3 rules' })
  assert.equal(await systemd.receive(), 'STATUS=3 rules')
  manager.notify({ kind: 'starting', forMs: 60_000 })
  assert.equal(await systemd.receive(), 'EXTEND_TIMEOUT_USEC=60000000')
  manager.notify({ kind: 'reloading' })
  assert.match(await systemd.receive(), /^RELOADING=1\nMONOTONIC_USEC=\d+$/)
  manager.notify({ kind: 'stopping' })
  assert.equal(await systemd.receive(), 'STOPPING=1')
  assert.deepEqual(log.lines, [])
})

test('systemd hears at a name in the abstract namespace', { skip }, async () => {
  const socket = `@damselfly-test-${process.pid}`
  await using systemd = await receiver(socket)
  const manager = await findServiceManager({ NOTIFY_SOCKET: socket }, recordingLog())
  manager.notify({ kind: 'ready', status: 'ok' })
  assert.equal(await systemd.receive(), 'READY=1\nSTATUS=ok')
})

test('when the queue of systemd is full, nothing waits, and the newest state arrives later', {
  skip,
}, async () => {
  const socket = `@damselfly-full-${process.pid}`
  await using systemd = await receiver(socket)
  const log = recordingLog()
  const manager = await findServiceManager({ NOTIFY_SOCKET: socket }, log)
  for (let sent = 0; sent < 5_000; sent++) manager.notify({ kind: 'watchdog' })
  manager.notify({ kind: 'reloading' })
  manager.notify({ kind: 'ready', status: 'reloaded' })
  let message = ''
  while (message === '' || message === 'WATCHDOG=1') message = await systemd.receive()
  assert.equal(message, 'READY=1\nSTATUS=reloaded')
  assert.deepEqual(log.lines, [])
})

test('outside systemd nothing is there and nothing happens', async () => {
  const log = recordingLog()
  for (const environment of [{}, { NOTIFY_SOCKET: '' }, { WATCHDOG_USEC: '30000000' }]) {
    const manager = await findServiceManager(environment, log)
    assert.equal(manager.isPresent, false)
    assert.equal(manager.watchdogMs, undefined)
    manager.notify({ kind: 'ready', status: '' })
  }
  assert.deepEqual(log.lines, [])
})

test('a socket that is not there is logged once, and nothing is thrown', async () => {
  await using dir = await tempDir()
  const log = recordingLog()
  const manager = await findServiceManager({ NOTIFY_SOCKET: join(dir.path, 'gone') }, log)
  manager.notify({ kind: 'ready', status: '' })
  manager.notify({ kind: 'stopping' })
  assert.deepEqual(log.lines, ['error: systemd cannot be notified'])
})

test('an address of 107 bytes can be notified, a longer one or one of another kind cannot', async () => {
  const addressOf = (bytes: number) => `@${'x'.repeat(bytes - 1)}`
  for (const [address, isPresent] of [
    [addressOf(107), true],
    [addressOf(109), false],
    [`/${'x'.repeat(106)}`, true],
    [`/${'x'.repeat(107)}`, false],
    ['vsock:2:1234', false],
  ] as const) {
    const log = recordingLog()
    assert.equal((await findServiceManager({ NOTIFY_SOCKET: address }, log)).isPresent, isPresent, address)
    assert.deepEqual(log.lines, isPresent ? [] : ['error: systemd cannot be notified'])
  }
})

test('the watchdog is heard of in milliseconds, and only when it is meant for this process', async () => {
  const watchdogMs = async (WATCHDOG_USEC: string, WATCHDOG_PID?: string) =>
    (await findServiceManager({ NOTIFY_SOCKET: '@x', WATCHDOG_USEC, WATCHDOG_PID }, recordingLog()))
      .watchdogMs
  assert.equal(await watchdogMs('30000000'), 30_000)
  assert.equal(await watchdogMs('30000000', String(process.pid)), 30_000)
  assert.equal(await watchdogMs('30000000', '1'), undefined)
  for (const wrong of ['', '0', '-5', 'soon']) assert.equal(await watchdogMs(wrong), undefined, wrong)
})
