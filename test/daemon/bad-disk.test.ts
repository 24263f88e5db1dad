import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import mqtt from 'mqtt'
import { type BadDisk, badDisk, begins, codeOf, ends, type Fault } from '../support/bad-disk.js'
import { runCommand, startDaemon, type TestDaemon } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const skip = missing('gcc')
const yaml = `rules:
  - { on: ask, do: { publish: answer, text: "\${payload}" } }
  - { on: log, do: { store: readings } }
`

/** Goes through one fault: what is refused, what goes on, what waits. @returns what was acknowledged */
async function endure(daemon: TestDaemon, disk: BadDisk, fault: Fault): Promise<string[]> {
  const acknowledged: string[] = []
  const v5 = await daemon.connect({ protocolVersion: 5 })
  const v3 = await daemon.connect({ protocolVersion: 4 })
  const heard: string[] = []
  v5.on('message', (topic, payload) => heard.push(`${topic} ${payload}`))
  await v5.subscribeAsync(['live', 'answer'])
  assert.equal(await codeOf(v5, 'kept', `${fault} before`, { qos: 2 }), 0)
  acknowledged.push(`${fault} before`)

  disk.set(fault)
  assert.equal(
    await codeOf(v5, 'kept', `${fault} first`, { qos: 1 }),
    0x97,
    'it was taken before the disk was known as bad',
  )
  assert.equal(await codeOf(v5, 'kept', 'one', { qos: 1 }), 0x97)
  assert.equal(await codeOf(v5, 'kept', 'two', { qos: 2 }), 0x97)
  assert.equal(await codeOf(v5, 'state', 'x', { qos: 1, retain: true }), 0x97)
  assert.equal(await codeOf(v5, 'nobody', 'nothing to keep', { qos: 1 }), 0)
  assert.equal(await codeOf(v5, 'nobody', 'nothing to keep', { qos: 2 }), 0)
  let isAnswered = false
  const later = codeOf(v3, 'kept', `${fault} v3`, { qos: 1 }).then((code) => {
    isAnswered = true
    return code
  })
  v3.publish('live', fault)
  v3.publish('ask', fault)
  await until('QoS 0 and rules go on', () => heard.length === 2)
  assert.deepEqual(heard.sort(), [`answer ${fault}`, `live ${fault}`])
  const newcomer = await daemon.connect({
    protocolVersion: 5,
    clean: false,
    clientId: `new-${fault}`,
    properties: { sessionExpiryInterval: 60 },
  })
  assert.equal(newcomer.connected, true, 'who wants a session comes in')
  assert.match(
    (await runCommand(daemon.folder, ['status'])).stdout,
    /disk +cannot be written since .*: .+; \d+ messages refused/,
  )
  if (fault === 'eio') await sleep(2_500) // it is tried again meanwhile
  assert.equal(isAnswered, false, 'what is not kept is not acknowledged')
  assert.deepEqual([daemon.having(begins).length, daemon.having(ends).length], [1, 0])

  disk.set('well')
  assert.equal(await later, 0)
  acknowledged.push(`${fault} v3`)
  assert.equal(await codeOf(v5, 'kept', `${fault} after`, { qos: 1 }), 0)
  acknowledged.push(`${fault} after`)
  return acknowledged
}

test('on a bad disk QoS 0 and rules go on, what cannot be kept is refused, and it recovers; what was acknowledged is there after a crash', {
  skip,
}, async (context) => {
  const folder = await tempFolder(context)
  const disk = await badDisk(context, join(folder, 'data'))
  const daemon = await startDaemon(context, { folder, yaml, environment: disk.environment })
  const away = await daemon.connect({ clean: false, clientId: 'away' })
  await away.subscribeAsync('kept', { qos: 2 })
  await away.endAsync()
  const acknowledged: string[] = []
  for (const fault of ['eio', 'erofs', 'enospc'] as const)
    acknowledged.push(...(await endure(daemon, disk, fault)))
  const { refused } = await daemon.logged(ends)
  // they came so soon after one another that they are one
  assert.deepEqual([daemon.having(begins).length, daemon.having(ends).length, refused], [1, 1, 12])
  await daemon.stop('SIGKILL')

  const next = await startDaemon(context, { folder, yaml })
  const waiting: string[] = []
  const back = mqtt.connect({
    host: '127.0.0.1',
    port: next.port,
    clean: false,
    clientId: 'away',
    reconnectPeriod: 0,
  })
  context.after(() => back.end(true))
  back.on('message', (_topic, payload) => waiting.push(`${payload}`))
  await until('all is there', () => acknowledged.every((payload) => waiting.includes(payload)))
  assert.equal(new Set(waiting).size, waiting.length, 'and nothing twice')
})
