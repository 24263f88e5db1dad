import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { badDisk } from '../support/bad-disk.js'
import { startDaemon, type TestDaemon } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const skip = missing('gcc')
const yaml = `pins:
  lamp: { gpio: 17, out: true, initial: on }
rules:
  - { on: log, do: { store: readings } }
`

/** A daemon that waits for a disk, to write a row and a message. */
async function hanging(context: TestContext): Promise<TestDaemon> {
  const folder = await tempFolder(context)
  const disk = await badDisk(context, join(folder, 'data'))
  // as in the service the control socket is elsewhere: Node unlinks it without a thread
  const environment = { ...disk.environment, RUNTIME_DIRECTORY: await tempFolder(context) }
  const daemon = await startDaemon(context, { folder, yaml, environment })
  const client = await daemon.connect()
  await client.publishAsync('log', 'well', { qos: 1 })
  disk.set('hang')
  client.publish('log', 'hung')
  client.publish('state', 'hung', { qos: 1, retain: true })
  await sleep(500)
  return daemon
}

/** @returns how long it took */
async function ended(daemon: TestDaemon, withinMs: number): Promise<number> {
  const began = performance.now()
  while (!daemon.hasExited && performance.now() - began < withinMs) await sleep(50)
  assert.ok(daemon.hasExited, `it goes on after ${withinMs} ms`)
  return performance.now() - began
}

test('on a disk that hangs a second signal ends the process at once', { skip }, async (context) => {
  const daemon = await hanging(context)
  daemon.kill('SIGTERM')
  await daemon.logged('stopping')
  daemon.kill('SIGTERM')
  await ended(daemon, 10_000)
  assert.equal(daemon.having('a second signal: killed').length, 1)
})

test('on a disk that hangs a stop ends at its time limit, with the outputs at on_stop long before', {
  skip,
}, async (context) => {
  const daemon = await hanging(context)
  const lamp: string[] = []
  const watcher = await daemon.connect()
  watcher.on('message', (_topic, payload) => lamp.push(`${payload}`))
  await watcher.subscribeAsync('damselfly/test/pins/lamp')
  await until('it is on', () => lamp.length === 1)
  daemon.kill('SIGTERM')
  await daemon.logged('stopping')
  const began = performance.now()
  await until('it is off', () => lamp.at(-1) === 'off')
  assert.ok(performance.now() - began < 4_000, 'and not after the time that rules have to end')
  await ended(daemon, 40_000)
  assert.equal(daemon.having('the stop takes too long: killed').length, 1)
})
