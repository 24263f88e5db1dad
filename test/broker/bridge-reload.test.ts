import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { bridgedBroker, bridgeTo, heardAll, hearer, shared } from '../support/bridge.js'
import { freePort } from '../support/daemon.js'
import { farBroker } from '../support/far-broker.js'
import { startMosquitto } from '../support/mosquitto.js'
import { tempFolder } from '../support/temp-folder.js'
import { until } from '../support/until.js'

test('of several bridges only the one that has changed begins anew, with what waits for it', async (t) => {
  const mosquitto = await startMosquitto(t)
  const away = await freePort()
  const kept = bridgeTo(mosquitto.port, { name: 'kept', clientId: 'kept', topics: [shared('k/#')] })
  const moved = bridgeTo(away, { name: 'moved', clientId: 'moved', topics: [shared('m/#')] })
  const here = await bridgedBroker(t, [kept, moved])
  await here.linked('kept')
  const near = await hearer(t, here.port, 'none')
  await near.client.publishAsync('m/1', 'waits', { qos: 1 })
  const far = await hearer(t, mosquitto.port)
  const there = bridgeTo(mosquitto.port, {
    name: 'moved',
    clientId: 'moved',
    topics: [shared('m/#'), shared('n/#')],
  })
  await here.broker.setBridges([{ ...kept }, there])
  await here.linked('moved')
  await near.client.publishAsync('n/1', 'new', { qos: 1 })
  await heardAll(far.heard, 2)
  assert.deepEqual(far.heard.sort(), ['m/1 waits', 'n/1 new'])
  assert.deepEqual(
    here.log.having('bridge connected').map(({ fields }) => fields['bridge']),
    ['kept', 'moved'],
  )
})

test('a bridge that is removed is closed, what waits for it is dropped, and the other broker forgets it', async (t) => {
  for (const version of [4, 5] as const) {
    const mosquitto = await startMosquitto(t)
    const dataDir = await tempFolder(t)
    const settings = bridgeTo(mosquitto.port, { version })
    const here = await bridgedBroker(t, [settings], { dataDir })
    await here.linked()
    await here.broker.setBridges([])
    assert.deepEqual(here.broker.bridges, [])
    const far = await hearer(t, mosquitto.port, 'none')
    const near = await hearer(t, here.port)
    await far.client.publishAsync('a', 'missed', { qos: 1 })
    await near.client.publishAsync('b', 'missed', { qos: 1 })
    await mosquitto.stop()
    await here.broker.setBridges([settings])
    await near.client.publishAsync('c', 'dropped', { qos: 1 })
    await here.broker.close()
    // and one that is missing at the next start
    const again = await bridgedBroker(t, [], { dataDir })
    assert.deepEqual(again.log.having('bridge removed: what waited for it is dropped')[0]?.fields, {
      bridge: 'test',
      messages: 1,
    })
    await mosquitto.start()
    const heard = await hearer(t, again.port)
    const all = await hearer(t, mosquitto.port)
    await again.broker.setBridges([settings])
    await again.linked()
    await sleep(200)
    assert.deepEqual([heard.heard, all.heard], [[], []])
  }
})

test('a topic that does not come in any more is unsubscribed from', async (t) => {
  const mosquitto = await startMosquitto(t)
  const topics = ['a', 'b', 'c'].map((topic) => shared(topic))
  const here = await bridgedBroker(t, [bridgeTo(mosquitto.port, { topics })])
  await here.linked()
  const fewer = [shared('a', { direction: 'out' }), shared('b')]
  await here.broker.setBridges([bridgeTo(mosquitto.port, { topics: fewer })])
  await here.linked()
  const near = await hearer(t, here.port)
  const far = await hearer(t, mosquitto.port, 'none')
  for (const topic of ['a', 'c', 'b']) await far.client.publishAsync(topic, 'x', { qos: 1 })
  await heardAll(near.heard, 1)
  assert.deepEqual(near.heard, ['b x'])
  assert.equal(here.counters.get('bridges.unwanted'), 0)
})

test('what still comes of a subscription that was left behind is not published', async (t) => {
  const mosquitto = await startMosquitto(t)
  const here = await bridgedBroker(t, [bridgeTo(mosquitto.port, { topics: [shared('a'), shared('b')] })])
  await here.linked()
  await here.broker.setBridges([
    bridgeTo(mosquitto.port, {
      topics: [shared('a', { direction: 'out' }), shared('b')],
      mayUnsubscribe: false,
    }),
  ])
  await here.linked()
  const near = await hearer(t, here.port)
  const far = await hearer(t, mosquitto.port, 'none')
  for (const qos of [0, 1, 2] as const) await far.client.publishAsync('a', 'x', { qos })
  await far.client.publishAsync('b', 'x', { qos: 1 })
  await heardAll(near.heard, 1)
  assert.deepEqual(near.heard, ['b x'])
  await until('they are counted', () => here.counters.get('bridges.unwanted') === 3)
})

test('a lazy bridge connects when enough messages wait, and rests when nothing more goes over it', async (t) => {
  const mosquitto = await startMosquitto(t)
  const start = { kind: 'lazy', threshold: 3, idleMs: 300 } as const
  const here = await bridgedBroker(t, [
    bridgeTo(mosquitto.port, { start, topics: [shared('#', { direction: 'out' })] }),
  ])
  const near = await hearer(t, here.port, 'none')
  const far = await hearer(t, mosquitto.port)
  for (const text of ['1', '2']) await near.client.publishAsync('a', text, { qos: 1 })
  await sleep(100)
  assert.deepEqual([here.state()?.isConnected, here.state()?.queued, far.heard], [false, 2, []])
  await near.client.publishAsync('a', '3', { qos: 1 })
  await heardAll(far.heard, 3)
  assert.deepEqual(far.heard.splice(0), ['a 1', 'a 2', 'a 3'])
  await until('it rests', () => here.state()?.isConnected === false)
  assert.equal(here.state()?.reason, 'nothing to send')
  for (const text of ['4', '5', '6']) await near.client.publishAsync('a', text, { qos: 1 })
  await heardAll(far.heard, 3)
  assert.deepEqual(
    here.log.lines.filter(({ level }) => level === 'warn'),
    [],
  )
})

test('a bridge that starts once does not come back when its connection ends, and one at first waits for it', async (t) => {
  const mosquitto = await startMosquitto(t)
  await mosquitto.stop()
  const here = await bridgedBroker(t, [bridgeTo(mosquitto.port, { start: { kind: 'once' } })])
  await here.logged('bridge not connected yet, trying again')
  await mosquitto.start()
  await here.linked()
  await mosquitto.stop()
  await here.logged('bridge lost: it starts once')
  await mosquitto.start()
  await sleep(400)
  assert.equal(here.state()?.isConnected, false)
})

test('the second address serves while the first is away, which is gone back to', async (t) => {
  const [first, second] = [await startMosquitto(t), await startMosquitto(t)]
  const addresses = [first, second].flatMap(({ port }) => bridgeTo(port).addresses)
  await first.stop()
  const here = await bridgedBroker(t, [bridgeTo(0, { addresses })])
  await here.linked()
  assert.equal(here.state()?.url, addresses[1]?.url)
  await first.start()
  await until(
    'it has gone back',
    () => here.state()?.url === addresses[0]?.url && here.state()?.isConnected === true,
  )
  await first.stop()
  await until(
    'the second serves',
    () => here.state()?.url === addresses[1]?.url && here.state()?.isConnected === true,
  )
})

test('with round robin it stays where it is until that fails', async (t) => {
  const [first, second] = [await startMosquitto(t), await startMosquitto(t)]
  const addresses = [first, second].flatMap(({ port }) => bridgeTo(port).addresses)
  await first.stop()
  const here = await bridgedBroker(t, [bridgeTo(0, { addresses, isRoundRobin: true })])
  await here.linked()
  await first.start()
  await sleep(300)
  assert.equal(here.state()?.url, addresses[1]?.url)
  await second.stop()
  await until(
    'the first serves',
    () => here.state()?.url === addresses[0]?.url && here.state()?.isConnected === true,
  )
})

test('a broker that does not know bridges is connected to as by a client', async (t) => {
  const plain = await farBroker(t, { answer: (level) => (level === 4 ? 0 : 1) })
  const here = await bridgedBroker(t, [bridgeTo(plain.port, { version: 4, topics: [shared('a')] })])
  await here.linked()
  assert.deepEqual(plain.levels, [0x84, 4])
  const rude = await farBroker(t, { answer: (level) => (level === 4 ? 0 : 'close') })
  await here.broker.setBridges([bridgeTo(rude.port, { version: 4, topics: [shared('a')] })])
  await here.linked()
  assert.deepEqual(rude.levels, [0x84, 4])
  const told = await farBroker(t)
  await here.broker.setBridges([bridgeTo(told.port, { version: 4, topics: [shared('a')], isTold: false })])
  await here.linked()
  assert.deepEqual(told.levels, [4])
})

test('a broker that is silent for longer than the keep alive is left', async (t) => {
  const mosquitto = await startMosquitto(t)
  const here = await bridgedBroker(t, [bridgeTo(mosquitto.port, { keepAliveSeconds: 1 })])
  await here.linked()
  await sleep(1_700)
  assert.equal(here.state()?.isConnected, true)
  process.kill(mosquitto.pid, 'SIGSTOP')
  await until('it is noticed', () => here.state()?.isConnected === false)
  assert.equal(here.log.having('bridge lost, trying again')[0]?.fields['reason'], 'no answer')
  process.kill(mosquitto.pid, 'SIGCONT')
  await here.linked()
})

test('no client may take the place of a bridge here, nor tell of another one’s connection', async (t) => {
  const here = await bridgedBroker(t, [])
  await assert.rejects(
    hearer(t, here.port, '#', { clientId: '$bridge/test' }),
    /Client identifier not valid/i,
  )
  const one = await hearer(t, here.port, '$SYS/broker/connection/#', { clientId: 'one' })
  await one.client.publishAsync('$SYS/broker/connection/one/state', '1', { qos: 1, retain: true })
  await assert.rejects(
    one.client.publishAsync('$SYS/broker/connection/two/state', '1', { qos: 1 }),
    /Not authorized/i,
  )
  await heardAll(one.heard, 1)
  assert.deepEqual(one.heard, ['$SYS/broker/connection/one/state 1 *'])
})

test('a broker that takes less than the QoS of the topics is refused, in words', async (t) => {
  const mosquitto = await startMosquitto(t, { config: 'allow_anonymous true\nmax_qos 1' })
  const here = await bridgedBroker(t, [bridgeTo(mosquitto.port, { topics: [shared('#', { qos: 2 })] })])
  await here.logged('bridge refused: trying again now and then')
  assert.equal(here.state()?.reason, 'it takes QoS 1 at most, and the topics of the bridge have more')
  await here.broker.setBridges([bridgeTo(mosquitto.port)])
  await here.linked()
})
