import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import type { MqttClient } from 'mqtt'
import { SystemTopics } from '#src/broker/system-topics.js'
import type { BrokerFigures } from '#src/core/broker-view.js'
import { brokerWorld } from '../support/broker.js'
import { startMosquitto } from '../support/mosquitto.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const run = promisify(execFile)

const nothing: BrokerFigures = {
  uptimeSeconds: 0,
  clientsConnected: 0,
  clientsDisconnected: 0,
  clientsMaximum: 0,
  clientsExpired: 0,
  socketsOpened: 0,
  connects: 0,
  bytesReceived: 0,
  bytesSent: 0,
  packetsReceived: 0,
  packetsSent: 0,
  publishesReceived: 0,
  publishesSent: 0,
  publishBytesReceived: 0,
  publishBytesSent: 0,
  messagesUnkept: 0,
  storeWritten: 1,
  messagesDropped: 0,
  subscriptions: 0,
  sharedSubscriptions: 0,
  retainedMessages: 0,
  retainedBytes: 0,
  queuedMessages: 0,
  queuedBytes: 0,
  inflightMessages: 0,
  waitingBytes: 0,
}

/** System topics over figures that the test sets, and what they have told since it was last asked. */
function telling() {
  const told = new Map<string, string>()
  let figures = nothing
  const system = new SystemTopics({
    publish: (topic, payload) => told.set(topic.replace('$SYS/broker/', ''), payload),
    figures: () => figures,
    version: '1.2.3',
  })
  return {
    system,
    set: (changes: Partial<BrokerFigures>) => {
      figures = { ...figures, ...changes }
    },
    take: () => {
      const all = new Map(told)
      told.clear()
      return all
    },
  }
}

test('all is told at first, then what has changed, at the interval', () => {
  const { system, set, take } = telling()
  system.setInterval(10_000, 1_000)
  const first = take()
  assert.deepEqual(
    ['version', 'uptime', 'clients/total', 'load/sockets/15min'].map((name) => first.get(name)),
    ['damselfly version 1.2.3', '0 seconds', '0', '0.00'],
  )
  set({ uptimeSeconds: 9, clientsConnected: 2, clientsDisconnected: 3 })
  system.tick(10_999)
  assert.equal(take().size, 0)
  system.tick(11_000)
  const second = take()
  second.delete('heap/current')
  second.delete('heap/maximum')
  assert.deepEqual(Object.fromEntries(second), {
    uptime: '9 seconds',
    'clients/total': '5',
    'clients/inactive': '3',
    'clients/disconnected': '3',
    'clients/active': '2',
    'clients/connected': '2',
  })
})

test('a load is a mean of so many a minute, which follows in one, five and fifteen minutes', () => {
  const { system, set, take } = telling()
  system.setInterval(10_000, 0)
  for (let tick = 1; tick <= 6; tick++) {
    set({ publishesReceived: tick * 100 }) // 600 a minute
    system.tick(tick * 10_000)
  }
  const loads = take()
  const expected = (seconds: number) => (600 * (1 - Math.exp(-60 / seconds))).toFixed(2)
  assert.deepEqual(
    ['1min', '5min', '15min'].map((window) => loads.get(`load/publish/received/${window}`)),
    [expected(60), expected(300), expected(900)],
  )
})

test('an interval of 0 clears what was told, and tells nothing', () => {
  const { system, take } = telling()
  system.setInterval(10_000, 0)
  const told = take()
  system.setInterval(0, 1)
  assert.deepEqual(take(), new Map([...told.keys()].map((name) => [name, ''])))
  system.tick(100_000)
  assert.equal(take().size, 0)
  system.setInterval(5_000, 200_000)
  assert.equal(take().size, told.size)
})

test('who subscribes finds the state of the broker, and hears of what changes', async (context) => {
  const { broker, connect } = await brokerWorld(context)
  broker.setSystemInterval(1_000)
  const client = await connect()
  const seen = listen(client)
  await client.subscribeAsync('$SYS/#', { qos: 2 })
  await client.subscribeAsync('#')
  await client.publishAsync('a', 'four', { qos: 1, retain: true })
  await until('the figures of a client', () => seen.get('$SYS/broker/publish/bytes/received') === '4')
  assert.equal(seen.get('$SYS/broker/clients/connected'), '1')
  assert.equal(seen.get('$SYS/broker/retained messages/count'), '1')
  assert.equal(seen.get('$SYS/broker/subscriptions/count'), '2')
  assert.equal(broker.retainedMessages, 1)
})

test('nobody but the broker publishes below $SYS: not a client, not its will, not a rule', async (context) => {
  const { broker, connect } = await brokerWorld(context)
  broker.setSystemInterval(60_000)
  const client = await connect({ protocolVersion: 5 })
  await assert.rejects(
    client.publishAsync('$SYS/broker/uptime', 'x', { qos: 1, retain: true }),
    /Not authorized/,
  )
  await assert.rejects(
    connect({ protocolVersion: 5, will: { topic: '$SYS/broker/uptime', payload: Buffer.from('x') } }),
  )
  await assert.rejects(broker.hub.publish({ topic: '$SYS/broker/uptime', payload: 'x' }), {
    code: 'TOPIC_INVALID',
    message: 'cannot publish to "$SYS/broker/uptime": topics below $SYS are the broker’s own',
  })
  broker.publishSystem('$SYS/broker/connection/cloud/state', '1')
  const seen = listen(client)
  await client.subscribeAsync('$SYS/broker/+/cloud/state')
  await client.subscribeAsync('$SYS/broker/uptime')
  await until('both are there', () => seen.size === 2)
  assert.deepEqual(Object.fromEntries(seen), {
    '$SYS/broker/connection/cloud/state': '1',
    '$SYS/broker/uptime': '0 seconds',
  })
})

test('nothing below $SYS outlives the process, and a session that is away keeps none of it', async (context) => {
  const dataDir = await tempFolder(context)
  const first = await brokerWorld(context, { dataDir })
  const away = await first.connect({ clientId: 'away', clean: false })
  await away.subscribeAsync(['$SYS/#', 'a'], { qos: 2 })
  await away.endAsync()
  first.broker.setSystemInterval(60_000)
  first.broker.publishSystem('$SYS/x', 'y')
  assert.equal(first.broker.queuedMessages, 0)
  const other = await first.connect()
  await other.publishAsync('a', 'kept', { qos: 1, retain: true })
  await first.broker.close()
  const { broker, connect } = await brokerWorld(context, { dataDir })
  const found: string[] = []
  for await (const { topic } of broker.hub.retained('$SYS/#')) found.push(topic)
  for await (const { topic } of broker.hub.retained('#')) found.push(topic)
  assert.deepEqual(found, ['a'])
  assert.equal(broker.queuedMessages, 1)
  const client = await connect()
  const seen = listen(client)
  await client.subscribeAsync(['$SYS/#', '#'])
  await until('what is retained has come', () => seen.size > 0)
  assert.deepEqual([...seen.keys()], ['a'])
})

test('topics and the form of their payloads are those of mosquitto, and one that it has not', {
  skip: missing('mosquitto', 'mosquitto_sub'),
}, async (context) => {
  const mosquitto = await startMosquitto(context, { config: 'allow_anonymous true\nsys_interval 1' })
  const { broker, port } = await brokerWorld(context)
  broker.setSystemInterval(1_000)
  const [theirs, ours] = await Promise.all([formsOf(mosquitto.port), formsOf(port)])
  assert.ok(theirs.size > 50)
  assert.equal(ours.get('$SYS/broker/store/messages/refused'), '0')
  ours.delete('$SYS/broker/store/messages/refused')
  assert.deepEqual(ours, theirs)
})

/** The payload that came last for each topic. */
function listen(client: MqttClient): Map<string, string> {
  const seen = new Map<string, string>()
  client.on('message', (topic, payload) => seen.set(topic, `${payload}`))
  return seen
}

/** What is below `$SYS`, with each number as 0: `0.00`, `0 seconds`. */
async function formsOf(port: number): Promise<Map<string, string>> {
  const argv = ['-h', '127.0.0.1', '-p', String(port), '-t', '$SYS/#', '-F', '%t|%p', '-W', '3']
  const failed = await run('mosquitto_sub', argv).catch((error: { stdout: string }) => error)
  const lines = failed.stdout.trim().split('\n').sort()
  return new Map(
    lines.map((line) => {
      const [topic = '', payload = ''] = line.split('|')
      return [
        topic,
        payload
          .replace(/^\w+ version .*/, 'NAME version')
          .replace(/^\d+/, '0')
          .replace(/\.\d\d$/, '.00'),
      ]
    }),
  )
}
