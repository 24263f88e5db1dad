import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MqttClient } from 'mqtt'
import { brokerWorld } from '../support/broker.js'
import { until } from '../support/until.js'

/** Payloads that a client gets. */
function heard(client: MqttClient): string[] {
  const seen: string[] = []
  client.on('message', (_, payload) => seen.push(`${payload}`))
  return seen
}

for (const qos of [0, 1, 2] as const) {
  test(`messages of all QoS on one topic reach a clean and a kept session subscribed with QoS ${qos} once each, those of one QoS in order`, async (context) => {
    const { broker, connect } = await brokerWorld(context)
    const sessions: string[][] = []
    for (const [clientId, clean] of [
      ['clean', true],
      ['kept', false],
    ] as const) {
      const client = await connect({ clientId, clean })
      sessions.push(heard(client))
      await client.subscribeAsync('t/#', { qos })
    }
    const sender = await connect({ clientId: 'sender' })
    const sent = Array.from({ length: 60 }, (_, index) => `${index % 3} ${index}`)
    const published = sent.map((payload, index) =>
      sender.publishAsync('t/b', payload, { qos: (index % 3) as 0 | 1 | 2 }),
    )
    for (const [index, payload] of sent.entries())
      void broker.hub.publish({ topic: 't/a', payload: `own ${payload}`, qos: (index % 3) as 0 | 1 | 2 })
    await Promise.all(published)
    const own = sent.map((payload) => `own ${payload}`)
    for (const seen of sessions) {
      await until('all came', () => seen.length >= sent.length * 2)
      assert.deepEqual([...seen].sort(), [...sent, ...own].sort())
      for (const start of ['0 ', '1 ', '2 ', 'own 0 ', 'own 1 ', 'own 2 '])
        assert.deepEqual(
          seen.filter((payload) => payload.startsWith(start)),
          [...sent, ...own].filter((payload) => payload.startsWith(start)),
        )
    }
  })
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

test('QoS 2 reaches a persistent session whole and in order, and leaves nothing that waits', async (context) => {
  const { broker, connect, log } = await brokerWorld(context)
  const client = await connect({ clientId: 'kept', clean: false })
  const seen = heard(client)
  await client.subscribeAsync('list', { qos: 2 })
  const sent = Array.from({ length: 250 }, (_, index) => `${index}`) // more than may be on the way
  for (const payload of sent) await broker.hub.publish({ topic: 'list', payload, qos: 2 })
  await until('all came', () => seen.length >= sent.length)
  assert.deepEqual(seen, sent)
  assert.equal(broker.queuedMessages, 0)
  assert.deepEqual(log.having('client disconnected'), [])
})

test('overlapping subscriptions of one client get a message once', async (context) => {
  const { broker, connect } = await brokerWorld(context)
  const client = await connect()
  const seen = heard(client)
  for (const filter of ['t/#', 't/+', 't/a']) await client.subscribeAsync(filter, { qos: 1 })
  for (const payload of ['1', '2', '3']) void broker.hub.publish({ topic: 't/a', payload, qos: 1 })
  void broker.hub.publish({ topic: 't/a', payload: '4' })
  await broker.hub.publish({ topic: 't/a', payload: 'last', qos: 1 })
  await until('the last came', () => seen.includes('last'))
  assert.deepEqual(seen, ['1', '2', '3', '4', 'last'])
})
