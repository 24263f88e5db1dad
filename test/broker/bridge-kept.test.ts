import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { limits, setLimits } from '#src/core/limits.js'
import { bridgedBroker, bridgeTo, heardAll, hearer, shared } from '../support/bridge.js'
import { cableTo } from '../support/cable.js'
import { freePort } from '../support/daemon.js'
import { farBroker } from '../support/far-broker.js'
import { startMosquitto } from '../support/mosquitto.js'
import { tempFolder } from '../support/temp-folder.js'
import { until } from '../support/until.js'

afterEach(() => setLimits({}))

test('what is published while the other broker is away waits, over a restart, and goes in its order', async (t) => {
  const port = await freePort()
  const dataDir = await tempFolder(t)
  const settings = bridgeTo(port, { topics: [shared('a/#', { qos: 2 })] })
  const before = await bridgedBroker(t, [settings], { dataDir })
  const near = await hearer(t, before.port, 'none')
  for (let index = 0; index < 50; index++)
    await near.client.publishAsync('a/b', `${index}`, { qos: index % 2 === 0 ? 1 : 2 })
  await before.logged('bridge not connected yet, trying again')
  assert.equal(before.state()?.queued, 50)
  assert.equal(before.state()?.reason, 'nothing listens there')
  await before.broker.close()

  const far = await bridgedBroker(t, [], { port })
  const there = await hearer(t, far.port, 'a/#')
  const after = await bridgedBroker(t, [settings], { dataDir })
  await after.linked()
  await heardAll(there.heard, 50)
  const numbers = there.heard.map((text) => Number(text.split(' ')[1]))
  for (const rest of [0, 1]) // a client hears QoS 2 at its end, and QoS 1 at once
    assert.deepEqual(
      numbers.filter((number) => number % 2 === rest),
      Array.from({ length: 25 }, (_, index) => 2 * index + rest),
    )
  assert.equal(after.state()?.queued, 0)
})

test('messages over the link that is cut again and again are neither lost nor out of order, those of QoS 2 come once', async (t) => {
  const far = await bridgedBroker(t, [])
  const cable = await cableTo(t, far.port)
  const topics = [shared('out/#', { direction: 'out', qos: 2 }), shared('in/#', { direction: 'in', qos: 2 })]
  const here = await bridgedBroker(t, [bridgeTo(cable.port, { topics })])
  await here.linked()
  const near = await hearer(t, here.port, 'in/#')
  const there = await hearer(t, far.port, 'out/#')
  const cutting = (async () => {
    for (let round = 0; round < 4; round++) {
      await sleep(60)
      cable.cut()
      await sleep(40)
      cable.mend()
      await here.linked()
    }
  })()
  let sent = 0
  for (let isDone = false; !isDone; sent++) {
    const qos = sent % 2 === 0 ? 1 : 2
    await near.client.publishAsync(`out/${qos}`, `${sent}`, { qos })
    await there.client.publishAsync(`in/${qos}`, `${sent}`, { qos })
    isDone = await Promise.race([cutting.then(() => true), sleep(1, false)])
  }
  for (const heard of [near.heard, there.heard]) {
    await until('all is there', () => new Set(heard).size === sent)
    await sleep(100)
    for (const qos of [1, 2]) {
      const numbers = heard
        .filter((text) => text.includes(`/${qos} `))
        .map((text) => Number(text.split(' ')[1]))
      const firsts = [...new Set(numbers)]
      assert.deepEqual(
        firsts,
        firsts.toSorted((a, b) => a - b),
      )
      if (qos === 2) assert.equal(numbers.length, firsts.length)
    }
  }
})

test('as many messages wait for a bridge as may, and beyond that the oldest is dropped, counted and told', async (t) => {
  const mosquitto = await startMosquitto(t)
  const cable = await cableTo(t, mosquitto.port)
  cable.cut()
  setLimits({ sessionQueueMessagesMax: 5 })
  const here = await bridgedBroker(t, [bridgeTo(cable.port, { topics: [shared('#')] })])
  const near = await hearer(t, here.port, 'none')
  for (let index = 0; index < 5; index++) await near.client.publishAsync('a', `${index}`, { qos: 1 })
  assert.equal(here.counters.get('sessionQueueMessagesMax'), 0)
  await near.client.publishAsync('a', '5', { qos: 1 })
  assert.equal(here.counters.get('sessionQueueMessagesMax'), 1)
  const [line] = here.log.having('messages dropped: too many wait for a bridge')
  assert.deepEqual(
    ['bridge', 'which', 'dropped'].map((name) => line?.fields[name]),
    ['test', 'the oldest', 1],
  )
  await near.client.publishAsync('a', '6', { qos: 1 })
  const far = await hearer(t, mosquitto.port)
  cable.mend()
  await here.linked()
  await heardAll(far.heard, 5)
  assert.deepEqual(far.heard, ['a 2', 'a 3', 'a 4', 'a 5', 'a 6'])
  const lost = 'bridge: messages that waited for it were lost while it was away'
  await here.logged(lost)
  assert.equal(here.log.having(lost)[0]?.fields['lost'], 2)
  await mosquitto.stop()
  await until('it is lost', () => here.state()?.isConnected === false)
  await mosquitto.start()
  await here.linked()
  await near.client.publishAsync('a', '7', { qos: 1 })
  await until('it is there', () => here.state()?.queued === 0)
  assert.equal(here.log.having(lost).length, 1)
})

test('with a clean session nothing waits, here or there', async (t) => {
  const mosquitto = await startMosquitto(t)
  const cable = await cableTo(t, mosquitto.port)
  const clean = { isCleanSession: true, isLocalCleanSession: true }
  const here = await bridgedBroker(t, [bridgeTo(cable.port, clean)])
  await here.linked()
  const near = await hearer(t, here.port)
  const far = await hearer(t, mosquitto.port)
  cable.cut()
  await until('it is lost', () => here.state()?.isConnected === false)
  await sleep(50)
  await near.client.publishAsync('a', 'lost', { qos: 1 })
  await far.client.publishAsync('b', 'lost', { qos: 1 })
  assert.equal(here.state()?.queued, 0)
  cable.mend()
  await here.linked()
  await near.client.publishAsync('a', 'there', { qos: 1 })
  await far.client.publishAsync('b', 'there', { qos: 1 })
  await heardAll(near.heard, 3)
  await heardAll(far.heard, 3)
  assert.deepEqual(near.heard.sort(), ['a lost', 'a there', 'b there'])
  assert.deepEqual(far.heard.sort(), ['a there', 'b lost', 'b there'])
})

test('a message that makes the other broker end the connection each time is given up, and the next ones pass', async (t) => {
  const tries = { count: 0 }
  const takes = (payload: string): boolean => {
    if (payload === 'bad') tries.count++
    return payload !== 'bad'
  }
  const far = await farBroker(t, { takes })
  const topics = [shared('#', { direction: 'out' })]
  const here = await bridgedBroker(t, [bridgeTo(far.port, { version: 4, topics })])
  await here.linked()
  const near = await hearer(t, here.port, 'none')
  for (const payload of ['one', 'bad', 'two', 'three'])
    await near.client.publishAsync('a/b', payload, { qos: 1 })
  await until('the others are there', () => far.payloads.includes('three'))
  assert.equal(tries.count, limits.bridgeAttemptsMax)
  assert.deepEqual([...new Set(far.payloads)], ['one', 'two', 'three'])
  assert.equal(here.counters.get('bridgeAttemptsMax'), 1)
  const message =
    'bridge: message dropped, for the other broker ends the connection each time when it gets it'
  assert.deepEqual(here.log.having(message)[0]?.fields, { bridge: 'test', topic: 'a/b' })
})

test('one that it takes once in the meantime is not given up', async (t) => {
  let tries = 0
  const far = await farBroker(t, {
    takes: (payload) => payload !== 'bad' || ++tries === limits.bridgeAttemptsMax,
  })
  const topics = [shared('#', { direction: 'out' })]
  const here = await bridgedBroker(t, [bridgeTo(far.port, { version: 4, topics })])
  await here.linked()
  const near = await hearer(t, here.port, 'none')
  for (const payload of ['bad', 'two']) await near.client.publishAsync('a/b', payload, { qos: 1 })
  await until('both are there', () => far.payloads.length === 2)
  assert.deepEqual(far.payloads, ['bad', 'two'])
  assert.equal(here.counters.get('bridgeAttemptsMax'), 0)
})

test('a message that is refused or too large is told, and the next ones pass', async (t) => {
  const mosquitto = await startMosquitto(t, {
    config: 'allow_anonymous true\nacl_file acl',
    files: { acl: 'topic readwrite a/#\ntopic read secret/#\n' },
  })
  const topics = [shared('a/#', { direction: 'out' }), shared('secret', { direction: 'out' })]
  const here = await bridgedBroker(t, [bridgeTo(mosquitto.port, { topics, packetBytesMax: 1_000 })])
  await here.linked()
  const near = await hearer(t, here.port, 'none')
  const far = await hearer(t, mosquitto.port, 'a/#')
  await near.client.publishAsync('secret', 'x', { qos: 1 })
  await near.client.publishAsync('a/large', Buffer.alloc(2_000), { qos: 1 })
  await near.client.publishAsync('a/small', 'x', { qos: 1 })
  await heardAll(far.heard, 1)
  assert.deepEqual(far.heard, ['a/small x'])
  assert.deepEqual(
    here.log.having('bridge: a message is not taken').map(({ fields }) => fields),
    [
      { bridge: 'test', topic: 'secret', reason: 'not authorized' },
      { bridge: 'test', topic: 'a/large', reason: 'it takes no packet of that size' },
    ],
  )
  assert.equal(here.counters.get('bridges.refusedMessages'), 2)
})
