import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MqttClient } from 'mqtt'
import { SessionQueues } from '#src/broker/session-queues.js'
import { openStateStore } from '#src/broker/state-store.js'
import { Counters } from '#src/core/counters.js'
import { limits } from '#src/core/limits.js'
import { brokerWorld } from '../support/broker.js'
import { MemoryLog } from '../support/memory-log.js'
import { tempFolder } from '../support/temp-folder.js'
import { until } from '../support/until.js'

function world() {
  const counters = new Counters()
  const log = new MemoryLog()
  return { counters, log, queues: new SessionQueues({ log, counters }) }
}

test('as many messages as are allowed wait for a client, and one more is not kept, counted and told', () => {
  const { counters, log, queues } = world()
  for (let index = 0; index < limits.sessionQueueMessagesMax; index++)
    assert.equal(queues.admits('a', 1), true)
  assert.equal(queues.admits('a', 1), false)
  assert.equal(counters.get('sessionQueueMessagesMax'), 1)
  assert.equal(log.lines.length, 1)
  assert.equal(queues.admits('b', 1), true) // another client is not concerned
  queues.left('a', 1)
  assert.equal(queues.admits('a', 1), true)
})

test('bytes are bounded for one client and for all together', () => {
  const { counters, queues } = world()
  const { sessionQueueBytesMax, memoryBytesMax } = limits
  assert.equal(queues.admits('0', sessionQueueBytesMax), true)
  assert.equal(queues.admits('0', 1), false)
  assert.equal(counters.get('sessionQueueBytesMax'), 1)
  const clients = memoryBytesMax / sessionQueueBytesMax
  for (let index = 1; index < clients; index++)
    assert.equal(queues.admits(`${index}`, sessionQueueBytesMax), true)
  assert.equal(queues.admits('one more', 1), false)
  assert.equal(counters.get('memoryBytesMax'), 1)
  queues.forget('1')
  assert.equal(queues.admits('one more', sessionQueueBytesMax), true)
})

test('what the store holds counts, by client, and other entries do not', () => {
  const { queues } = world()
  for (let index = 0; index < limits.sessionQueueMessagesMax; index++)
    queues.found(`outgoing:${encodeURIComponent('a:b')}:broker:${index}`, 1)
  queues.found('outgoing-id:c:1', limits.sessionQueueBytesMax)
  assert.equal(queues.admits('a:b', 1), false)
  assert.equal(queues.admits('c', 1), true)
})

/** Payloads that a client gets. */
function heard(client: MqttClient): string[] {
  const seen: string[] = []
  client.on('message', (_, payload) => seen.push(`${payload}`))
  return seen
}

test('a burst of QoS 1 reaches a client with a persistent session in order, and one with a clean session beside it [MQTT-4.6.0-6]', async (context) => {
  const { connect } = await brokerWorld(context)
  const kept = await connect({ clientId: 'kept', clean: false })
  const clean = await connect({ clientId: 'clean' })
  const all = [heard(kept), heard(clean)]
  for (const client of [kept, clean]) await client.subscribeAsync('list', { qos: 1 })
  const sender = await connect({ clientId: 'sender' })
  const sent: string[] = []
  for (let round = 0; round < 20; round++) {
    const list = Array.from({ length: 20 }, (_, index) => `${round}.${index}`)
    sent.push(...list)
    await Promise.all(list.map((payload) => sender.publishAsync('list', payload, { qos: 1 })))
  }
  for (const seen of all) {
    await until('all came', () => seen.length >= sent.length)
    assert.deepEqual(seen, sent)
  }
})

test('what a client has acknowledged does not count as waiting, and no message counts twice', async (context) => {
  const log = new MemoryLog()
  const counters = new Counters()
  const { persistence, close } = await openStateStore(await tempFolder(context), log, counters)
  const client = { id: 'kept' }
  const subscriptions = [{ clientId: 'kept' }, { clientId: 'kept' }]
  const payload = Buffer.alloc(limits.sessionQueueBytesMax - 'list'.length)
  for (let messageId = 1; messageId <= 3; messageId++) {
    const packet = { topic: 'list', payload, qos: 1, brokerId: 'broker', brokerCounter: messageId, messageId }
    await persistence.outgoingEnqueueCombi(subscriptions, packet)
    await persistence.outgoingUpdate(client, packet)
    assert.equal((await persistence.outgoingClearMessageId(client, packet))?.topic, 'list')
  }
  assert.equal(counters.get('sessionQueueBytesMax'), 0)
  await close()
})

test('QoS 2 reaches a persistent session whole and in order, and leaves nothing that counts as waiting', async (context) => {
  const { broker, connect, log } = await brokerWorld(context)
  const client = await connect({ clientId: 'kept', clean: false })
  const seen = heard(client)
  await client.subscribeAsync('list', { qos: 2 })
  const sent = Array.from({ length: 50 }, (_, index) => `${index}`)
  for (const payload of sent) await broker.hub.publish({ topic: 'list', payload, qos: 2 })
  await until('all came', () => seen.length >= sent.length)
  assert.deepEqual(seen, sent)
  await broker.hub.publish({ topic: 'list', payload: 'after all PUBCOMPs', qos: 2 })
  await until('it is still connected', () => seen.includes('after all PUBCOMPs'))
  assert.deepEqual(log.having('client disconnected'), [])
})
