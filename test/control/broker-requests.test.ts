import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type {
  ClientAnswer,
  ClientsAnswer,
  ReloadOutcome,
  TopicReport,
  TopicsAnswer,
} from '#src/control/protocol.js'
import type { ClientReport } from '#src/core/broker-view.js'
import { limits, setLimits } from '#src/core/limits.js'
import { type BrokerWorld, brokerWorld, connectPacket } from '../support/broker.js'
import { type ControlWorld, startControl, Talker } from '../support/control.js'
import { until } from '../support/until.js'

interface World extends BrokerWorld {
  readonly control: ControlWorld
  readonly talker: Talker
}

/** A broker with a control socket, and somebody who speaks to that. */
async function world(context: TestContext, options: Parameters<typeof brokerWorld>[1] = {}): Promise<World> {
  const broker = await brokerWorld(context, options)
  const control = await startControl(context, { broker: broker.broker })
  const talker = await Talker.to(control.path)
  context.after(() => talker.socket.destroy())
  return { ...broker, control, talker }
}

/** Asks, and waits for the last line of the answer. */
async function askAll<Answer>(talker: Talker, request: object): Promise<Answer[]> {
  const from = talker.answers.length
  await talker.ask(request)
  await until('the last line', () => talker.answers.at(-1)?.['more'] === false)
  return talker.answers.slice(from) as unknown as Answer[]
}

async function clients(talker: Talker): Promise<ClientReport[]> {
  const lines = await askAll<ClientsAnswer>(talker, { get: 'clients' })
  return lines.flatMap((line) => line.clients).sort((one, other) => one.id.localeCompare(other.id))
}

test('clients are told with all that is known of them, those too that are away', async (context) => {
  const credentials = { username: 'house', password: { reveal: () => 'secret' } as never }
  const { connect, talker } = await world(context, { access: { allowAnonymous: 'local', credentials } })
  const named = { username: 'house', password: 'secret' }
  const here = await connect({ clientId: 'here', protocolVersion: 5, keepalive: 30, ...named })
  const gone = await connect({ clientId: 'gone', clean: false })
  await here.subscribeAsync(['a', 'b/#'], { qos: 1 })
  await gone.subscribeAsync('b/#', { qos: 1 })
  await gone.endAsync()
  await here.publishAsync('b/c', 'four', { qos: 1 })
  const told = await clients(talker)
  assert.deepEqual(
    told.map(({ id }) => id),
    ['gone', 'here'],
  )
  const [away, present] = told as [ClientReport, ClientReport]
  const { since, received, sent, ...rest } = present
  assert.ok(Math.abs(Date.parse(since) - Date.now()) < 10_000)
  assert.deepEqual(rest, {
    id: 'here',
    isConnected: true,
    address: '127.0.0.1',
    listener: 'main',
    transport: 'mqtt',
    user: 'house',
    version: '5',
    cleanStart: true,
    keepAliveSeconds: 30,
    sessionExpirySeconds: 0,
    subscriptions: 2,
    inflightMessages: 0,
    queuedMessages: 0,
    queuedBytes: 0,
    droppedMessages: 0,
  })
  assert.deepEqual([received?.messages, sent?.messages], [1, 1])
  assert.ok((received?.bytes ?? 0) > 40 && (sent?.bytes ?? 0) > 10)
  assert.deepEqual(
    [away.isConnected, away.address, away.version, away.cleanStart, away.sessionExpirySeconds],
    [false, '127.0.0.1', '3.1.1', false, null],
  )
  assert.deepEqual([away.queuedMessages, away.queuedBytes, away.received], [1, 'b/cfour'.length, undefined])
})

test('of one client each subscription is told; of one that nobody knows, that', async (context) => {
  const { connect, talker } = await world(context)
  const client = await connect({ clientId: 'one' })
  const filters = Array.from({ length: 1_500 }, (_, index) => `${'long/'.repeat(20)}${index}`)
  for (let from = 0; from < filters.length; from += 500)
    await client.subscribeAsync(filters.slice(from, from + 500), { qos: 2 })
  const lines = await askAll<ClientAnswer>(talker, { get: 'client', id: 'one' })
  assert.ok(lines.length > 1)
  const subscriptions = lines.flatMap((line) => line.subscriptions)
  assert.deepEqual(
    subscriptions.map(({ filter }) => filter),
    filters,
  )
  const options = { noLocal: false, retainAsPublished: false, identifier: 0 }
  assert.deepEqual(subscriptions[0], { filter: filters[0], qos: 2, ...options })
  const unknown = await talker.ask({ get: 'client', id: 'nobody' })
  assert.equal((unknown['error'] as { code: string }).code, 'CLIENT_UNKNOWN')
})

test('what was refused to a client stands with it; who was not let in stands by itself', async (context) => {
  const { broker, connect, raw, talker, port } = await world(context, {
    access: {
      allowAnonymous: 'local',
      credentials: { username: 'a', password: { reveal: () => 'b' } as never },
    },
  })
  const client = await connect({ clientId: 'bold', protocolVersion: 5 })
  for (let time = 0; time < 2; time++) await assert.rejects(client.publishAsync('$SYS/x', 'x', { qos: 1 }))
  await assert.rejects(connect({ clientId: 'bold', username: 'a', password: 'wrong', port }))
  ;(await raw()).write('GET / HTTP/1.1\r\n\r\n')
  let refusals: readonly { client?: string; reason: string; count: number }[] = []
  await until('both are told', async () => {
    refusals = (await askAll<ClientsAnswer>(talker, { get: 'clients' })).at(-1)?.refusals ?? []
    return refusals.length === 2
  })
  assert.deepEqual(
    refusals.map((refusal) => [refusal.client, refusal.count]),
    [
      ['bold', 1],
      [undefined, 1],
    ],
  )
  const will = { topic: '$SYS/x', payload: Buffer.from('') }
  await assert.rejects(connect({ clientId: 'dying', protocolVersion: 5, will }))
  const { client: dying, reason: why } = broker.view.refusalsAtTheDoor().at(-1) ?? {}
  assert.deepEqual([dying, why], ['dying', 'its will: topics below $SYS are the broker’s own'])
  const [bold] = await clients(talker)
  const { what, topic, reason, count } = bold?.lastRefusal ?? {}
  assert.deepEqual(
    [what, topic, reason, count],
    ['publish', '$SYS/x', 'topics below $SYS are the broker’s own', 2],
  )
})

test('refusals are remembered up to the bound, the latest of them', async (context) => {
  setLimits({ refusalsRemembered: 3 })
  context.after(() => setLimits({}))
  const { broker, raw, counters } = await world(context)
  broker.setAccess({ allowAnonymous: 'nobody', credentials: undefined })
  for (let client = 0; client < 4; client++) {
    const socket = await raw()
    socket.write(connectPacket(`c${client}`))
    await new Promise((resolve) => socket.once('close', resolve).resume())
    assert.equal(counters.get('refusalsRemembered'), Math.max(0, client - 2))
  }
  assert.deepEqual(
    broker.view.refusalsAtTheDoor().map(({ client }) => client),
    ['c1', 'c2', 'c3'],
  )
})

test('a client that is kicked is told why, its will is published, and it may come back', async (context) => {
  const { connect, talker, log } = await world(context)
  const watcher = await connect({ clientId: 'watcher' })
  const wills: string[] = []
  watcher.on('message', (topic) => wills.push(topic))
  await watcher.subscribeAsync('will')
  const options = {
    clientId: 'x',
    protocolVersion: 5,
    will: { topic: 'will', payload: Buffer.from('') },
  } as const
  const client = await connect({ ...options, clean: false, properties: { sessionExpiryInterval: 100 } })
  await client.subscribeAsync('a', { qos: 1 })
  const reasons: (number | undefined)[] = []
  client.on('disconnect', ({ reasonCode }) => reasons.push(reasonCode))
  const kicked = await talker.ask({ kick: 'x' })
  assert.deepEqual([kicked['kicked'], kicked['outcome']], ['x', 'disconnected'])
  await until('the client and the others were told', () => reasons.length === 1 && wills.length === 1)
  assert.deepEqual(reasons, [0x98])
  assert.equal((await talker.ask({ kick: 'x' }))['outcome'], 'away')
  const lines = log.having('client disconnected').filter(({ fields }) => fields['client'] === 'x')
  assert.deepEqual(
    lines.map(({ level, fields }) => [level, fields['reason']]),
    [['info', 'the owner has disconnected it']],
  )
  assert.deepEqual(
    (await clients(talker)).map(({ id, subscriptions }) => [id, subscriptions]),
    [
      ['watcher', 1],
      ['x', 1],
    ],
  )
  assert.equal((await talker.ask({ kick: 'x', forget: true }))['outcome'], 'forgotten')
  assert.equal((await talker.ask({ kick: 'x', forget: true }))['outcome'], 'unknown')
  await connect({ clientId: 'x' })
})

test('kick with forget ends a session that lasts, and one that does not, once', async (context) => {
  const { broker, connect, talker } = await world(context)
  for (const clean of [true, false]) {
    await connect({ clientId: 'x', clean })
    assert.equal((await talker.ask({ kick: 'x', forget: true }))['outcome'], 'forgotten')
    assert.deepEqual([broker.clientCount, broker.sessionCount], [0, 0])
  }
})

test('thousands of clients are told in several lines, and the loop goes on in between', async (context) => {
  const { raw, talker, broker } = await world(context)
  const socket = await raw()
  for (let client = 0; client < 1_000; client++) {
    const id = `client-${String(client).padStart(4, '0')}`
    const connection = client === 0 ? socket : await raw()
    connection.write(connectPacket(id))
  }
  await until('all are there', () => broker.clientCount === 1_000)
  const lines = await askAll<ClientsAnswer>(talker, { get: 'clients' })
  assert.ok(lines.length > 3)
  for (const line of lines) assert.ok(JSON.stringify(line).length < 70_000)
  assert.equal(new Set(lines.flatMap((line) => line.clients).map(({ id }) => id)).size, 1_000)
})

test('topics are told with the last message of each, who sent it, and what is retained', async (context) => {
  const { connect, talker } = await world(context)
  const client = await connect({ clientId: 'esp' })
  await client.publishAsync('home/old', 'kept', { qos: 1, retain: true })
  await client.publishAsync('other', 'x', { qos: 1, retain: true })
  const begin = await talker.ask({ watch: 'topics', filter: 'home/#' })
  assert.deepEqual([begin['protocol'], begin['filter'], begin['name']], [1, 'home/#', 'test'])
  const topics = follow(talker)
  await until('what is retained is told', () => topics().has('home/old'))
  for (const text of ['on', 'off']) await client.publishAsync('home/lamp', text, { qos: 1 })
  await client.publishAsync('home/old', '', { qos: 1, retain: true })
  await until(
    'the last is told',
    () => topics().get('home/lamp')?.messages === 2 && topics().get('home/old')?.messages === 1,
  )
  const { at, rate, ...lamp } = topics().get('home/lamp') as TopicReport
  assert.ok(Date.parse(at as string) > 0 && rate > 0)
  assert.deepEqual(lamp, {
    topic: 'home/lamp',
    messages: 2,
    text: 'off',
    bytes: 3,
    qos: 1,
    client: 'esp',
    isRetained: false,
  })
  assert.equal(topics().get('home/old')?.isRetained, false)
  assert.deepEqual([...topics().keys()].sort(), ['home/lamp', 'home/old'])
})

test('a topic beyond the bound is left out and counted; what a watch took is free after it', async (context) => {
  setLimits({ watchedTopicsMax: 2 })
  context.after(() => setLimits({}))
  const { connect, talker, control } = await world(context)
  const client = await connect()
  await talker.ask({ watch: 'topics' })
  for (const topic of ['a', 'b', 'c']) await client.publishAsync(topic, '', { qos: 1 })
  const topics = follow(talker)
  await until('two are told', () => topics().size === 2)
  const lines = talker.answers as unknown as TopicsAnswer[]
  assert.equal(lines.at(-1)?.leftOut, 1)
  assert.equal(control.counters.get('watchedTopicsMax'), 1)
  await talker.ask({ watch: 'topics', filter: 'x/#' })
  await client.publishAsync('x/y', '', { qos: 1 })
  await until('there is room again', () => topics().has('x/y'))
  assert.ok(limits.watchedTopicsMax === 2)
})

test('where the broker is elsewhere, its clients are not told', async (context) => {
  const { path } = await startControl(context)
  const talker = await Talker.to(path)
  for (const request of [{ get: 'clients' }, { get: 'client', id: 'x' }, { kick: 'x' }]) {
    const { code } = (await talker.ask(request))['error'] as { code: string }
    assert.equal(code, 'BROKER_ELSEWHERE')
  }
  talker.socket.destroy()
})

test('a reload that was asked for is answered with how it went', async (context) => {
  const world = await startControl(context)
  const talker = await Talker.to(world.path)
  const outcome = async () => ((await talker.ask({ do: 'reload' }))['reload'] as ReloadOutcome).isOk
  assert.deepEqual([await outcome(), await outcome(), world.reloads], [true, false, 2])
  talker.socket.destroy()
})

test('requests that are none are refused', async (context) => {
  const { path } = await startControl(context)
  const talker = await Talker.to(path)
  for (const request of [
    { get: 'client' },
    { kick: 7 },
    { kick: 'x', forget: 'yes' },
    { kick: 'x', get: 'pins' },
    { do: 'restart' },
    { do: 'reload', get: 'pins' },
    { watch: 'topics', filter: 'a/#/b' },
    { watch: 'clients' },
  ]) {
    const { code } = (await talker.ask(request))['error'] as { code: string }
    assert.equal(code, 'REQUEST_INVALID', JSON.stringify(request))
  }
  talker.socket.destroy()
})

/** The topics as they were told last. */
function follow(talker: Talker): () => Map<string, TopicReport> {
  return () => {
    const lines = talker.answers as unknown as Partial<TopicsAnswer>[]
    return new Map(lines.flatMap((line) => line.topics ?? []).map((topic) => [topic.topic, topic]))
  }
}

test('who asks for clients and does not read delays nobody else', async (context) => {
  const { broker, raw, control, talker } = await world(context)
  for (let client = 0; client < 300; client++) (await raw()).write(connectPacket(`client-${client}`))
  await until('all are there', () => broker.clientCount === 300)
  const stuck = await Talker.to(control.path, { reads: false })
  context.after(() => stuck.socket.destroy())
  stuck.socket.write('{"get":"clients"}\n'.repeat(200))
  assert.equal((await clients(talker)).length, 300)
  assert.ok('status' in (await talker.ask({ get: 'status' })))
  stuck.read()
  await until(
    'it has all of it at last',
    () => stuck.answers.filter(({ more }) => more === false).length === 200,
  )
})
