import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brokerWorld } from '../support/broker.js'
import { until } from '../support/until.js'

for (const qos of [0, 1, 2] as const) {
  test(`a message of QoS 0 that overtakes one of QoS 1 or 2 does not make it vanish; subscribed with QoS ${qos}`, async (context) => {
    const { broker, connect } = await brokerWorld(context)
    const client = await connect({ clientId: 'reader' })
    const seen: string[] = []
    client.on('message', (_, payload) => seen.push(`${payload}`))
    await client.subscribeAsync('t/#', { qos })
    const sent = Array.from({ length: 20 }, (_, turn) => [`${turn} first`, `${turn} second`]).flat()
    for (const [index, payload] of sent.entries())
      void broker.hub.publish({ topic: 't/a', payload, qos: index % 2 === 0 ? 1 : 0 })
    const sender = await connect({ clientId: 'sender' })
    await Promise.all([
      sender.publishAsync('t/b', 'sent first', { qos: 2 }),
      sender.publishAsync('t/b', 'sent second', { qos: 0 }),
    ])
    await until('all came', () => seen.length >= sent.length + 2)
    assert.deepEqual([...seen].sort(), [...sent, 'sent first', 'sent second'].sort())
  })
}

test('overlapping subscriptions of one client still get a message once', async (context) => {
  const { broker, connect } = await brokerWorld(context)
  const client = await connect()
  const seen: string[] = []
  client.on('message', (_, payload) => seen.push(`${payload}`))
  for (const filter of ['t/#', 't/+', 't/a']) await client.subscribeAsync(filter, { qos: 1 })
  for (const payload of ['1', '2', '3']) void broker.hub.publish({ topic: 't/a', payload, qos: 1 })
  void broker.hub.publish({ topic: 't/a', payload: '4' })
  await broker.hub.publish({ topic: 't/a', payload: 'last', qos: 1 })
  await until('the last came', () => seen.includes('last'))
  assert.deepEqual([...seen].sort(), ['1', '2', '3', '4', 'last'])
})
