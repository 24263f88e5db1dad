import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, writeSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { Counters } from '#src/core/counters.js'
import { limits } from '#src/core/limits.js'
import { InputWatcher } from '#src/gpio/input-watcher.js'
import { libc } from '#src/gpio/libc.js'
import { lineEventBytes } from '#src/gpio/uapi.js'
import { KeptLog, temporaryFolder } from '../support/gpio-kit.js'

const fionread = 0x541b // asm-generic/ioctls.h: bytes that wait to be read

// A FIFO stands for a line: the thread polls and reads it as it would the kernel's descriptor.

async function world(t: TestContext, more: { workerUrl?: URL; retryMs?: number } = {}) {
  const folder = await temporaryFolder(t)
  const log = new KeptLog()
  const counters = new Counters()
  const watcher = new InputWatcher({ log, counters, ...more })
  const seen: string[] = []
  const fds: number[] = []
  const line = (name: string): number => {
    const path = join(folder, name)
    execFileSync('mkfifo', [path])
    const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
    fds.push(fd)
    watcher.add(fd, {
      onEdge: ({ value }) => seen.push(`${name} ${value ? 'on' : 'off'}`),
      resync: () => seen.push(`${name} resync`),
    })
    return fd
  }
  t.after(async () => {
    await Promise.all(fds.map((fd) => watcher.remove(fd)))
    for (const fd of fds) closeSync(fd)
  })
  return { folder, log, counters, watcher, seen, line }
}

function edges(values: readonly boolean[]): Buffer {
  const bytes = Buffer.alloc(values.length * lineEventBytes)
  for (const [index, value] of values.entries())
    bytes.writeUInt32LE(value ? 1 : 2, index * lineEventBytes + 8)
  return bytes
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    if (holds()) return
    await sleep(10)
  }
  assert.fail(`never happened: ${what}`)
}

/** Waits without letting the process take a message. */
function block(what: string, holds: () => boolean): void {
  const nothing = new Int32Array(new SharedArrayBuffer(4))
  for (let tries = 0; tries < 1_000; tries++) {
    if (holds()) return
    Atomics.wait(nothing, 0, 0, 10)
  }
  assert.fail(`never happened: ${what}`)
}

test('edges of all lines come in order, also of a line that is added later', async (t) => {
  const { seen, line } = await world(t)
  const door = line('door')
  writeSync(door, edges([true, false, true]))
  await until('three edges', () => seen.length === 3)
  assert.deepEqual(seen, ['door on', 'door off', 'door on'])
  const bell = line('bell')
  writeSync(bell, edges([true]))
  await until('one more', () => seen.length === 4)
  writeSync(door, edges([false]))
  await until('and one more', () => seen.length === 5)
  assert.deepEqual(seen.slice(3), ['bell on', 'door off'])
})

test('a removed line is not looked at any more; the last one ends the thread, a new one starts another', async (t) => {
  const { watcher, seen, line, log } = await world(t)
  const door = line('door')
  const bell = line('bell')
  await watcher.remove(door)
  writeSync(door, edges([true]))
  writeSync(bell, edges([true]))
  await until('an edge', () => seen.length > 0)
  await watcher.remove(bell)
  await watcher.remove(bell)
  writeSync(bell, edges([false]))
  const gate = line('gate')
  writeSync(gate, edges([true]))
  await until('an edge of the new line', () => seen.length > 1)
  assert.deepEqual(seen, ['bell on', 'gate on'])
  assert.deepEqual(log.lines, [])
})

test('as many edges may wait as the limit says; one more is dropped, counted, and the levels are looked at', async (t) => {
  const { watcher, counters, seen, line, log } = await world(t)
  const { ioctl } = await libc()
  const door = line('door')
  const perWrite = 50
  const max = limits.inputEdgesMax
  const send = (count: number): void => {
    for (let sent = 0; sent < count; ) {
      const part = Math.min(perWrite, count - sent)
      const waiting = watcher.waitingEdges
      writeSync(door, edges(Array(part).fill(true) as boolean[]))
      sent += part
      block('edges read by the thread', () => watcher.waitingEdges >= Math.min(max, waiting + part))
    }
  }
  send(max)
  assert.equal(watcher.waitingEdges, max)
  await until('all edges', () => seen.length === max)
  assert.equal(counters.get('inputEdgesMax'), 0)

  seen.length = 0
  send(max)
  writeSync(door, edges([true]))
  const unread = Buffer.alloc(4)
  block('the one too many is read while all the others wait', () => {
    ioctl(door, fionread, unread)
    return unread.readInt32LE() === 0
  })
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50) // and dropped
  await until('the drop', () => counters.get('inputEdgesMax') === 1)
  assert.deepEqual([seen.length, seen.at(-1)], [max + 1, 'door resync'])
  assert.equal(log.of('warn')[0]?.message, 'input edges dropped: too many at once')
})

test('a line whose descriptor breaks is told once and left alone; the others go on', async (t) => {
  const { folder, watcher, seen, line, log } = await world(t)
  const path = join(folder, 'pipe')
  execFileSync('mkfifo', [path])
  const broken = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = openSync(path, constants.O_WRONLY)
  t.after(() => closeSync(broken))
  watcher.add(broken, { onEdge: () => seen.push('broken'), resync: () => {} })
  closeSync(writer) // POLLHUP, as when a chip goes
  await until('an error', () => log.of('error').length === 1)
  const door = line('door')
  writeSync(door, edges([true]))
  await until('an edge', () => seen.length === 1)
  assert.deepEqual(seen, ['door on'])
  line('bell')
  writeSync(door, edges([false]))
  await until('another edge', () => seen.length === 2)
  assert.deepEqual(
    log.of('error').map(({ message }) => message),
    ['input line lost; its state is not known any more'],
  )
  await watcher.remove(broken)
})

test('a thread that fails is logged and started again, and looks at the levels', async (t) => {
  const folder = await temporaryFolder(t)
  const marker = join(folder, 'failed')
  const workerPath = join(folder, 'worker.mjs')
  await writeFile(
    workerPath,
    `import { existsSync, appendFileSync, readFileSync } from 'node:fs'
    appendFileSync(${JSON.stringify(marker)}, 'x')
    if (readFileSync(${JSON.stringify(marker)}, 'utf8').length < 3) throw new Error('out of luck')
    await import(${JSON.stringify(import.meta.resolve('#src/gpio/input-worker.js'))})`,
  )
  const { seen, line, log } = await world(t, { workerUrl: pathToFileURL(workerPath), retryMs: 20 })
  const door = line('door')
  await until('two failures', () => log.of('error').length === 2)
  line('bell') // added while the thread is away
  writeSync(door, edges([true]))
  await until('an edge', () => seen.includes('door on'))
  assert.deepEqual(seen, ['door resync', 'bell resync', 'door on'])
  assert.deepEqual(
    log.of('error').map(({ message, reason, retryMs }) => [message, reason, retryMs]),
    [
      ['input thread failed', 'out of luck', 20],
      ['input thread failed', 'out of luck', 40],
    ],
  )
})

test('lines that are removed while the thread is away need none', async (t) => {
  const folder = await temporaryFolder(t)
  const workerPath = join(folder, 'worker.mjs')
  await writeFile(workerPath, `throw new Error('out of luck')`)
  const { watcher, line, log } = await world(t, { workerUrl: pathToFileURL(workerPath), retryMs: 50 })
  const door = line('door')
  await until('a failure', () => log.of('error').length === 1)
  await watcher.remove(door)
  await sleep(100)
  assert.equal(log.of('error').length, 1)
})
