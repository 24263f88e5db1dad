import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import mqtt from 'mqtt'
import { badDisk, begins, codeOf, ends } from '../support/bad-disk.js'
import { runCommand, startDaemon } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const skip = missing('gcc')
const yaml = `rules:
  - { on: ask, do: { publish: answer, text: "\${payload}" } }
  - { on: log, do: { store: readings } }
`

test('a disk that hangs holds up acknowledgements and nothing else; they come when it goes on', {
  skip,
}, async (context) => {
  const folder = await tempFolder(context)
  const disk = await badDisk(context, join(folder, 'data'))
  const daemon = await startDaemon(context, { folder, yaml, environment: disk.environment })
  const away = await daemon.connect({ clean: false, clientId: 'away' })
  await away.subscribeAsync('kept', { qos: 2 })
  await away.endAsync()
  const heard: string[] = []
  const reader = await daemon.connect()
  reader.on('message', (topic, payload) => heard.push(`${topic} ${payload}`))
  await reader.subscribeAsync(['live', 'answer'])
  const v5 = await daemon.connect({ protocolVersion: 5 })

  disk.set('hang')
  const kept: number[] = []
  const codes = [1, 2].map((qos) => codeOf(v5, 'kept', `hung ${qos}`, { qos: qos as 1 | 2 }))
  for (const code of codes) void code.then((value) => kept.push(value as number))
  for (let number = 0; number < 10; number++) {
    v5.publish('log', String(number))
    v5.publish('live', String(number))
    v5.publish('ask', String(number))
    await until('it is heard', () => heard.length === 2 * number + 2)
    await sleep(50)
  }
  const { code, stdout } = await runCommand(daemon.folder, ['status', '--json'])
  assert.equal(code, 0)
  assert.deepEqual(JSON.parse(stdout).store, { isWritten: true }, 'it may be slow for a while')
  assert.deepEqual(kept, [])
  disk.set('slow')
  assert.deepEqual(await Promise.all(codes), [0, 0])
  const began = performance.now()
  assert.equal(await codeOf(v5, 'kept', 'slow', { qos: 1 }), 0)
  assert.ok(performance.now() - began > 900, 'it is on the disk')
  assert.equal(daemon.having(begins).length, 0)
  const rows = async () =>
    (await runCommand(folder, ['export', 'readings'])).stdout.trim().split('\n').length - 1
  disk.set('well')
  await until('the rows are written', async () => (await rows()) === 10, 30_000)
})

test('it starts on a read-only disk with all that was kept, and recovers when that can be written; on one that cannot be read it says so', {
  skip,
}, async (context) => {
  const folder = await tempFolder(context)
  const disk = await badDisk(context, join(folder, 'data'))
  const first = await startDaemon(context, { folder, yaml, environment: disk.environment })
  const away = await first.connect({ clean: false, clientId: 'away' })
  await away.subscribeAsync('kept', { qos: 2 })
  await away.endAsync()
  const writer = await first.connect({ protocolVersion: 5 })
  assert.equal(await codeOf(writer, 'kept', 'before', { qos: 1 }), 0)
  assert.equal(await codeOf(writer, 'state', 'retained', { qos: 1, retain: true }), 0)
  await first.stop('SIGKILL')

  disk.set('eio')
  const { code, stderr, stdout } = await runCommand(folder, ['start'], { env: disk.environment })
  assert.notEqual(code, 0)
  assert.match(
    stderr + stdout,
    /cannot open .*data\/broker: .*: its disk fails, or is not connected well.*Nothing was changed/i,
  )

  disk.set('erofs')
  const daemon = await startDaemon(context, { folder, yaml, environment: disk.environment })
  assert.equal(daemon.having(begins).length, 1)
  const v5 = await daemon.connect({ protocolVersion: 5 })
  const heard: string[] = []
  v5.on('message', (topic, payload) => heard.push(`${topic} ${payload}`))
  await v5.subscribeAsync(['state', 'answer'])
  v5.publish('ask', 'x')
  await until('it works', () => heard.length === 2)
  assert.deepEqual(heard.sort(), ['answer x', 'state retained'])
  assert.equal(await codeOf(v5, 'kept', 'meanwhile', { qos: 1 }), 0x97)
  disk.set('well')
  await daemon.logged(ends)
  assert.equal(await codeOf(v5, 'kept', 'after', { qos: 1 }), 0)
  await daemon.stop('SIGKILL')

  const last = await startDaemon(context, { folder, yaml })
  const waiting: string[] = []
  const back = mqtt.connect({
    host: '127.0.0.1',
    port: last.port,
    clean: false,
    clientId: 'away',
    reconnectPeriod: 0,
  })
  context.after(() => back.end(true))
  back.on('message', (_topic, payload) => waiting.push(`${payload}`))
  await until('both are there', () => waiting.length === 2)
  assert.deepEqual(waiting, ['before', 'after'])
})
