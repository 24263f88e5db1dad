import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { limits } from '#src/core/limits.js'
import type { Message } from '#src/core/message.js'
import { attachedWorld, heardBy, plainClient } from '../../support/attached.js'
import { cableTo } from '../../support/cable.js'
import { persistent, startMosquitto } from '../../support/mosquitto.js'
import { missing } from '../../support/tools.js'
import { until } from '../../support/until.js'

const skip = missing('mosquitto')
const connected = 'connected to the broker'
const lost = 'connection to the broker lost, trying again'
const quietMs = 400

test('retained messages come to who reads them, and never to who listens', { skip }, async (t) => {
  const { port } = await startMosquitto(t)
  const client = await plainClient(t, port)
  for (let n = 0; n < 50; n++) await client.publishAsync(`room/${n}/t`, `${n}`, { qos: 1, retain: true })
  await client.publishAsync('other', 'x', { retain: true })
  const { door, listen } = attachedWorld(t, port)
  const { messages } = listen(['room/#', 'other'])
  await door.open()
  const read = await readAll(door.hub.retained('room/+/t'))
  assert.equal(read.length, 50)
  assert.equal(new Set(read.map(({ topic }) => topic)).size, 50)
  assert.ok(read.every(({ retain, client }) => retain && client === ''))
  assert.equal((await readAll(door.hub.retained('room/7/t')))[0]?.topic, 'room/7/t')
  assert.deepEqual(await readAll(door.hub.retained('nothing/here')), [])
  await client.publishAsync('room/1/t', 'new', { qos: 1, retain: true })
  await until('the new one is heard', () => messages.length > 0)
  assert.deepEqual(
    messages.map(({ payload }) => Buffer.from(payload).toString()),
    ['new'],
  )
})

test('who reads retained messages without a broker gets them when it is there; at the end, nothing', {
  skip,
}, async (t) => {
  const mosquitto = await startMosquitto(t)
  const cable = await cableTo(t, mosquitto.port)
  cable.cut()
  await (await plainClient(t, mosquitto.port)).publishAsync('a', 'x', { qos: 1, retain: true })
  const { door, logged } = attachedWorld(t, cable.port)
  await door.open()
  const reading = readAll(door.hub.retained('a'))
  cable.mend()
  assert.equal((await reading).length, 1)
  cable.cut()
  await logged(lost)
  const never = readAll(door.hub.retained('a'))
  await door.close()
  assert.deepEqual(await never, [])
})

test('of retained messages that nobody reads in time, only so many are kept', { skip }, async (t) => {
  const { port } = await startMosquitto(t, { config: 'allow_anonymous true\nmax_inflight_messages 0' })
  const client = await plainClient(t, port)
  const bytes = 4 * 1024 * 1024
  for (let n = 0; n < 5; n++)
    await client.publishAsync(`big/${n}`, Buffer.alloc(bytes), { qos: 1, retain: true })
  const { door, counters } = attachedWorld(t, port)
  await door.open()
  const all = door.hub.retained('big/+')[Symbol.asyncIterator]()
  await all.next()
  await sleep(quietMs) // this reader is slow
  let read = 1
  while (!(await all.next()).done) read++
  assert.ok(read <= 1 + Math.floor(limits.linkRetainedBytesMax / bytes) && read >= 3, `${read} were read`)
  assert.equal(counters.get('linkRetainedBytesMax') + read, 5)
})

test('a broker that has forgotten us is subscribed to anew, and told of', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t)
  const { door, logged, listen } = attachedWorld(t, mosquitto.port)
  const { texts } = listen('a/#')
  let renewed = 0
  door.hub.remote.onRenewed(() => renewed++)
  await door.open()
  assert.equal(renewed, 0)
  await mosquitto.stop()
  await logged(lost)
  const { texts: later } = listen('b') // while it is away
  await mosquitto.start()
  await logged(connected, 2)
  assert.equal(renewed, 1)
  const client = await plainClient(t, mosquitto.port)
  await client.publishAsync('a/x', '1', { qos: 1 })
  await client.publishAsync('b', '2', { qos: 1 })
  await until('both are heard', () => texts.length + later.length === 2)
})

test('a broker that remembers us is not told of, and gets only what has changed', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t, { config: `allow_anonymous true\n${persistent}` })
  const cable = await cableTo(t, mosquitto.port)
  const { door, logged, listen } = attachedWorld(t, cable.port)
  const end = door.hub.subscribe('gone', () => {})
  const { texts } = listen('a')
  let renewed = 0
  const unfollow = door.hub.remote.onRenewed(() => renewed++)
  await door.open()
  cable.cut()
  await logged(lost)
  end()
  const { texts: later } = listen('b')
  cable.mend()
  await logged(connected, 2)
  assert.equal(renewed, 0)
  unfollow()
  const client = await plainClient(t, mosquitto.port)
  for (const topic of ['a', 'b', 'gone']) await client.publishAsync(topic, 'x', { qos: 1 })
  await until('both are heard', () => texts.length + later.length === 2)
  const subscribed = [...mosquitto.output.matchAll(/damselfly-test \d (\S+)$/gm)].map(([, filter]) => filter)
  assert.deepEqual(subscribed.sort(), ['a', 'b', 'gone'])
  assert.match(mosquitto.output, /Received UNSUBSCRIBE from damselfly-test\n(.*\n)*?.*gone/)
})

test('a subscription that ends is taken back when nobody else wants it', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t)
  const { door } = attachedWorld(t, mosquitto.port)
  const [first, second] = [door.hub.subscribe('a', () => {}), door.hub.subscribe('a', () => {})]
  await door.open()
  const unsubscribed = () => /Received UNSUBSCRIBE from damselfly-test/.test(mosquitto.output)
  first()
  first()
  await sleep(100)
  assert.equal(unsubscribed(), false)
  second()
  await until('it is taken back', unsubscribed)
})

test('nothing that is published travels for who is not asked', { skip }, async (t) => {
  const { port } = await startMosquitto(t)
  const { door, listen } = attachedWorld(t, port)
  const { texts } = listen('+/set')
  await door.open()
  const client = await plainClient(t, port)
  const heard = await heardBy(client, '#')
  await door.hub.publish({ topic: 'lamp/set', payload: 'on' })
  await door.hub.publish({ topic: 'lamp/get', payload: 'on' })
  await until('both are there', () => heard.length === 2 && texts.length === 1)
  assert.deepEqual(texts, ['lamp/set on'])
})

test('a message of the broker whose topic is none reaches nobody; others do', (t) => {
  const { door, counters, log, listen } = attachedWorld(t, 1)
  const { texts } = listen('#')
  const receive = (topic: string, retain = false) =>
    door.hub.receive({ topic, payload: Buffer.from('x'), qos: 0, retain })
  const longest = 'a'.repeat(limits.topicBytesMax)
  const deepest = `a${'/a'.repeat(limits.topicLevelsMax - 1)}`
  for (const topic of ['home/#', 'home/+/set', 'home/lamp/set\0x', '', `${longest}a`, `${deepest}/a`]) {
    receive(topic)
    receive(topic, true)
  }
  assert.deepEqual(texts, [])
  assert.equal(counters.get('link.invalidTopics'), 12)
  const told = log.having('message of the broker skipped: its topic is not valid')
  assert.equal(told.length, 5) // each problem once
  assert.ok(told.every(({ fields }) => String(fields['topic']).length <= 200))
  receive(longest)
  receive(deepest)
  assert.deepEqual(texts, [`${longest} x`, `${deepest} x`])
})

async function readAll(messages: AsyncIterable<Message>): Promise<Message[]> {
  const read: Message[] = []
  for await (const message of messages) read.push(message)
  return read
}
