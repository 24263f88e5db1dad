import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { bridgedBroker, bridgeTo, heardAll, hearer, shared } from '../support/bridge.js'
import { cableTo } from '../support/cable.js'
import { startMosquitto } from '../support/mosquitto.js'
import { until } from '../support/until.js'

const ways = [
  ['MQTT 5', { version: 5 }],
  ['MQTT 3.1.1', { version: 4 }],
  ['MQTT 3.1.1 without saying that it is a bridge', { version: 4, isTold: false }],
] as const

for (const [title, how] of ways)
  test(`messages go both ways over a bridge to mosquitto, each once: ${title}`, async (t) => {
    const mosquitto = await startMosquitto(t)
    const here = await bridgedBroker(t, [
      bridgeTo(mosquitto.port, { ...how, topics: [shared('a/#', { qos: 2 })] }),
    ])
    await here.linked()
    const near = await hearer(t, here.port)
    const far = await hearer(t, mosquitto.port)
    for (const qos of [0, 1, 2] as const) {
      await near.client.publishAsync('a/near', `n${qos}`, { qos })
      await far.client.publishAsync('a/far', `f${qos}`, { qos })
      await near.client.publishAsync('b/near', `n${qos}`, { qos })
    }
    await heardAll(near.heard, 9)
    await heardAll(far.heard, 6)
    const all = ['a/far f0', 'a/far f1', 'a/far f2', 'a/near n0', 'a/near n1', 'a/near n2']
    assert.deepEqual(near.heard.filter((text) => text.startsWith('a')).sort(), all)
    assert.deepEqual(far.heard.sort(), all)
  })

test('topics get other names on the other side, by prefixes and one by one', async (t) => {
  const mosquitto = await startMosquitto(t)
  const topics = [
    shared('sensors/+/t', { localPrefix: 'home/', remotePrefix: 'site1/' }),
    shared('', { localPrefix: 'all/alarm', remotePrefix: 'alarm', direction: 'in' }),
    shared('log', { remotePrefix: 'site1/', direction: 'out' }),
  ]
  const here = await bridgedBroker(t, [bridgeTo(mosquitto.port, { topics })])
  await here.linked()
  const near = await hearer(t, here.port)
  const far = await hearer(t, mosquitto.port)
  const binary = Buffer.alloc(40_000, 7)
  await near.client.publishAsync('home/sensors/1/t', '21', { qos: 1 })
  await near.client.publishAsync('home/sensors/1/x', 'no', { qos: 1 })
  await near.client.publishAsync('log', binary, { qos: 1 })
  await near.client.publishAsync('all/alarm', 'in only', { qos: 1 })
  await far.client.publishAsync('site1/sensors/2/t', '22', { qos: 1 })
  await far.client.publishAsync('site1/log', 'out only', { qos: 1 })
  await far.client.publishAsync('alarm', 'fire', { qos: 1 })
  await heardAll(near.heard, 6)
  await heardAll(far.heard, 5)
  const cut = (heard: string[]) => heard.map((text) => text.slice(0, 30)).sort()
  assert.deepEqual(
    cut(far.heard),
    [
      'alarm fire',
      'site1/log out only',
      `site1/log ${binary.toString('latin1').slice(0, 20)}`,
      'site1/sensors/1/t 21',
      'site1/sensors/2/t 22',
    ].sort(),
  )
  assert.deepEqual(near.heard.filter((text) => !text.startsWith('log')).sort(), [
    'all/alarm fire',
    'all/alarm in only',
    'home/sensors/1/t 21',
    'home/sensors/1/x no',
    'home/sensors/2/t 22',
  ])
})

test('what is retained is retained on the other side, from before the bridge was there and from after', async (t) => {
  const mosquitto = await startMosquitto(t)
  const here = await bridgedBroker(t, [])
  const early = await hearer(t, here.port, 'none')
  const earlyFar = await hearer(t, mosquitto.port, 'none')
  await early.client.publishAsync('state/near', 'old', { qos: 1, retain: true })
  await earlyFar.client.publishAsync('state/far', 'old', { qos: 1, retain: true })
  await here.broker.setBridges([bridgeTo(mosquitto.port, { topics: [shared('state/#')] })])
  await here.linked()
  const near = await hearer(t, here.port, 'state/#')
  const far = await hearer(t, mosquitto.port, 'state/#')
  await heardAll(near.heard, 2)
  await heardAll(far.heard, 2)
  assert.deepEqual(near.heard.splice(0).sort(), ['state/far old *', 'state/near old *'])
  assert.deepEqual(far.heard.splice(0).sort(), ['state/far old *', 'state/near old *'])
  await near.client.publishAsync('state/near', 'new', { qos: 1, retain: true })
  await far.client.publishAsync('state/far', '', { qos: 1, retain: true })
  await near.client.publishAsync('state/near', 'passing', { qos: 1 })
  await heardAll(near.heard, 3)
  await heardAll(far.heard, 3)
  assert.deepEqual(far.heard.sort(), ['state/far  *', 'state/near new *', 'state/near passing'])
  assert.deepEqual(near.heard.sort(), ['state/far  *', 'state/near new *', 'state/near passing'])
  const late = await hearer(t, here.port, 'state/#')
  const lateFar = await hearer(t, mosquitto.port, 'state/#')
  await heardAll(late.heard, 1)
  await heardAll(lateFar.heard, 1)
  assert.deepEqual([late.heard, lateFar.heard], [['state/near new *'], ['state/near new *']])
})

test('a broker that keeps nothing retained is sent nothing as retained', async (t) => {
  const mosquitto = await startMosquitto(t, { config: 'allow_anonymous true\nretain_available false' })
  const here = await bridgedBroker(t, [bridgeTo(mosquitto.port)])
  await here.linked()
  const near = await hearer(t, here.port, 'none')
  const far = await hearer(t, mosquitto.port, 'state')
  await near.client.publishAsync('state', 'on', { qos: 1, retain: true })
  await heardAll(far.heard, 1)
  assert.deepEqual(far.heard, ['state on'])
  const told = await startMosquitto(t)
  await here.broker.setBridges([bridgeTo(told.port, { mayRetain: false })])
  await here.linked()
  const other = await hearer(t, told.port, 'state')
  await near.client.publishAsync('state', 'off', { qos: 1, retain: true })
  await until('it comes', () => other.heard.includes('state off'))
})

test('properties of MQTT 5 travel both ways', async (t) => {
  const mosquitto = await startMosquitto(t)
  const topics = [shared('a/#', { remotePrefix: 'there/' })]
  const here = await bridgedBroker(t, [bridgeTo(mosquitto.port, { topics })])
  await here.linked()
  const near = await hearer(t, here.port, 'none')
  const far = await hearer(t, mosquitto.port, 'none')
  const properties = {
    contentType: 'text/plain',
    responseTopic: 'answers/1',
    correlationData: Buffer.from('7'),
    payloadFormatIndicator: true,
    messageExpiryInterval: 100,
    userProperties: { unit: 'C' },
  }
  for (const [from, topic, to, other] of [
    [near.client, 'a/out', far.client, 'there/a/out'],
    [far.client, 'there/a/in', near.client, 'a/in'],
  ] as const) {
    await to.subscribeAsync(other)
    const came = new Promise((resolve) =>
      to.once('message', (_topic, _payload, packet) => resolve(packet.properties)),
    )
    await from.publishAsync(topic, 'hello', { qos: 1, properties })
    const { userProperties, messageExpiryInterval, ...rest } = (await came) as typeof properties
    assert.deepEqual({ ...userProperties }, { unit: 'C' })
    assert.ok(messageExpiryInterval <= 100 && messageExpiryInterval > 90)
    const { userProperties: _, messageExpiryInterval: __, ...expected } = properties
    assert.deepEqual(rest, expected)
  }
})

test('each side is told whether the bridge is connected, by a will when it is lost', async (t) => {
  const mosquitto = await startMosquitto(t)
  const topic = '$SYS/broker/connection/house-test/state'
  const settings = bridgeTo(mosquitto.port, { notifications: { topic, isLocalOnly: false } })
  const here = await bridgedBroker(t, [settings])
  await here.linked()
  const near = await hearer(t, here.port, topic)
  const far = await hearer(t, mosquitto.port, topic)
  await heardAll(near.heard, 1)
  await heardAll(far.heard, 1)
  assert.deepEqual([near.heard, far.heard], [[`${topic} 1 *`], [`${topic} 1 *`]])
  await mosquitto.stop()
  await until('it is told', () => near.heard.includes(`${topic} 0 *`))
  assert.deepEqual(here.log.having('client disconnected'), [])
  await mosquitto.start()
  await until('it is back', () => near.heard.length === 3)
  const again = await hearer(t, mosquitto.port, topic)
  await heardAll(again.heard, 1)
  await here.broker.setBridges([])
  await until('both are told', () => near.heard.at(-1) === `${topic}  *` && again.heard.length === 2)
  assert.deepEqual(again.heard, [`${topic} 1 *`, `${topic} 0 *`])
})

test('notifications may stay here', async (t) => {
  const mosquitto = await startMosquitto(t)
  const notifications = { topic: 'bridges/test', isLocalOnly: true }
  const here = await bridgedBroker(t, [bridgeTo(mosquitto.port, { notifications, topics: [shared('a')] })])
  await here.linked()
  const near = await hearer(t, here.port, 'bridges/#')
  const far = await hearer(t, mosquitto.port, 'bridges/#')
  await heardAll(near.heard, 1)
  assert.deepEqual([near.heard, far.heard], [['bridges/test 1 *'], []])
})

test('messages of QoS 0 wait for a bridge only when it says so', async (t) => {
  const mosquitto = await startMosquitto(t)
  const cable = await cableTo(t, mosquitto.port)
  cable.cut()
  const here = await bridgedBroker(t, [
    bridgeTo(cable.port, {
      name: 'keeps',
      clientId: 'keeps',
      isQos0Kept: true,
      topics: [shared('#', { remotePrefix: 'kept/', direction: 'out' })],
    }),
    bridgeTo(cable.port, {
      name: 'drops',
      clientId: 'drops',
      topics: [shared('#', { remotePrefix: 'dropped/', direction: 'out' })],
    }),
  ])
  const near = await hearer(t, here.port, 'none')
  await near.client.publishAsync('a', '0', { qos: 0 })
  await near.client.publishAsync('a', '1', { qos: 1 })
  const far = await hearer(t, mosquitto.port)
  cable.mend()
  await here.linked('keeps')
  await here.linked('drops')
  await heardAll(far.heard, 3)
  assert.deepEqual(far.heard.sort(), ['dropped/a 1', 'kept/a 0', 'kept/a 1'])
})

test('a wrong password is told once in words, without the password, and tried again now and then', async (t) => {
  const mosquitto = await startMosquitto(t, {
    config: 'allow_anonymous false\npassword_file passwords',
    files: { passwords: '' },
  })
  const { Secret } = await import('#src/core/secret.js')
  const credentials = { username: 'house', password: new Secret('hunter2') }
  const here = await bridgedBroker(t, [bridgeTo(mosquitto.port, { credentials })])
  await here.logged('bridge refused: trying again now and then')
  await sleep(500) // two more attempts
  const lines = here.log.having('bridge refused: trying again now and then')
  assert.equal(lines.length, 1)
  assert.deepEqual(lines[0]?.fields, {
    bridge: 'test',
    broker: `mqtt://127.0.0.1:${mosquitto.port}`,
    reason: 'not authorized',
    remedy:
      'that broker wants a user name, or a certificate; or the user may not publish on the notification topic: notifications: local',
  })
  assert.ok(mosquitto.output.split('not authorised').length > 2)
  assert.equal(here.state()?.isConnected, false)
  assert.equal(here.state()?.reason, 'not authorized')
  assert.doesNotMatch(JSON.stringify(here.log.lines), /hunter2/)
})

test('what the other broker does not let us have is told, and the rest goes on', async (t) => {
  const far = await bridgedBroker(t, [])
  const here = await bridgedBroker(t, [bridgeTo(far.port, { topics: [shared('a/#'), shared('b')] })])
  await here.linked()
  const there = await hearer(t, far.port)
  const near = await hearer(t, here.port)
  await there.client.publishAsync('b', 'x', { qos: 1 })
  await heardAll(near.heard, 1)
  assert.deepEqual(near.heard, ['b x'])
})

test('a bridge is none of the clients: it is not shown among them, not counted, and not kicked', async (t) => {
  const mosquitto = await startMosquitto(t)
  const { broker, linked, port } = await bridgedBroker(t, [bridgeTo(mosquitto.port)])
  await linked()
  const { client } = await hearer(t, port, 'x', { clientId: 'near' })
  const { view } = broker
  assert.deepEqual(
    [...view.clients()].map(({ id }) => id),
    ['near'],
  )
  assert.equal(view.figures().clientsDisconnected, 0)
  assert.equal(broker.sessionCount, 1)
  assert.equal(view.client('$bridge/test'), undefined)
  assert.deepEqual([...view.subscriptionsOf('$bridge/test')], [])
  assert.equal(view.kick('$bridge/test', true), 'unknown')
  const far = await hearer(t, mosquitto.port)
  await client.publishAsync('a', 'goes on', { qos: 1 })
  await heardAll(far.heard, 1)
})
