import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { ConnectionState } from '#src/client/client.js'
import type { Arrival } from '#src/client/connection.js'
import { Inbox } from '#src/client/inbox.js'
import { Outbox } from '#src/client/outbox.js'
import { Counters } from '#src/core/counters.js'
import { limits } from '#src/core/limits.js'
import { brokerWorld } from '../support/broker.js'
import { answering, clientOf, codeOf, politeAnswers, rawServer } from '../support/client-kit.js'
import { until } from '../support/until.js'

function arrival(topic: string, bytes: Uint8Array): Arrival {
  return { topic, bytes, qos: 0, retain: false, packetId: 0 }
}

test('a registration that nobody reads keeps as many messages as it may, then the latest, and counts what it drops', () => {
  const counters = new Counters()
  const inbox = new Inbox('a', counters)
  for (let count = 0; count < limits.clientQueueMessagesMax; count++)
    inbox.add(arrival('a', Buffer.from(`${count}`)))
  assert.deepEqual([inbox.size, inbox.dropped], [limits.clientQueueMessagesMax, 0])
  inbox.add(arrival('a', Buffer.from('"last"')))
  assert.deepEqual([inbox.size, inbox.dropped], [limits.clientQueueMessagesMax, 1])
  assert.equal(counters.get('clientQueueMessagesMax'), 1)
  const messages = inbox.take()
  assert.deepEqual([messages[0]?.payload, messages.at(-1)?.payload], [1, 'last'])
})

test('it keeps as many bytes as it may, topics counted; a message too large for it does not push out the others', () => {
  const counters = new Counters()
  const inbox = new Inbox('a', counters)
  const half = Buffer.alloc(limits.clientQueueBytesMax / 2 - 1)
  inbox.add(arrival('a', half))
  inbox.add(arrival('b', half))
  assert.deepEqual([inbox.size, inbox.dropped], [2, 0])
  inbox.add(arrival('c', Buffer.alloc(0)))
  assert.deepEqual([inbox.size, inbox.dropped], [2, 1])
  inbox.add(arrival('d', Buffer.alloc(limits.clientQueueBytesMax)))
  assert.deepEqual([inbox.size, inbox.dropped], [2, 2])
  assert.equal(counters.get('clientQueueBytesMax'), 2)
  assert.deepEqual(
    inbox.take().map(({ topic }) => topic),
    ['b', 'c'],
  )
  inbox.add(arrival('e', half))
  inbox.add(arrival('f', half))
  assert.equal(inbox.dropped, 2)
})

test('what is sent while there is no connection is kept up to a number of messages, and one more is refused', async () => {
  const counters = new Counters()
  const outbox = new Outbox(counters)
  const one = { topic: 'a', payload: Buffer.from('1'), qos: 1, retain: false } as const
  for (let count = 0; count < limits.clientOutgoingMessagesMax; count++) void outbox.add([one])
  assert.equal(outbox.size, limits.clientOutgoingMessagesMax)
  assert.throws(() => outbox.add([one]), { code: 'LIMIT_REACHED', limit: 'clientOutgoingMessagesMax' })
  assert.equal(counters.get('clientOutgoingMessagesMax'), 1)
  const other = new Outbox(counters)
  assert.throws(() => other.add(Array(limits.clientOutgoingMessagesMax + 1).fill(one)), {
    code: 'LIMIT_REACHED',
  })
  assert.equal(other.size, 0)
})

test('and up to a number of bytes', async () => {
  const counters = new Counters()
  const outbox = new Outbox(counters)
  const payload = Buffer.alloc(limits.clientOutgoingBytesMax - 1)
  void outbox.add([{ topic: 'a', payload, qos: 1, retain: false }])
  const empty = { topic: 'a', payload: Buffer.alloc(0), qos: 0, retain: false } as const
  assert.throws(() => outbox.add([empty]), { code: 'LIMIT_REACHED', limit: 'clientOutgoingBytesMax' })
  assert.equal(counters.get('clientOutgoingBytesMax'), 1)
})

test('only so many messages are on their way at the same time', async (context) => {
  let onTheirWay = 0
  const { port } = await rawServer(context, answering({ ...politeAnswers, 3: () => void onTheirWay++ }))
  const client = await clientOf(context, port)
  void client.send('a', Array(limits.clientInflightMax + 1).fill(1), { each: true })
  await until('the window is full', () => onTheirWay === limits.clientInflightMax)
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(onTheirWay, limits.clientInflightMax)
  assert.equal(client.unacknowledged, limits.clientInflightMax + 1)
})

test('so many filters may overlap each other, one more is refused, and others still go', async (context) => {
  const world = await brokerWorld(context)
  const client = await clientOf(context, world.port)
  const filters = Array.from({ length: limits.clientConnectionsMax }, (_, depth) => `${'+/'.repeat(depth)}#`)
  for (const filter of filters) await client.register(filter)
  await assert.rejects(client.register('a/b/c/d/e/f/g/h'), {
    code: 'LIMIT_REACHED',
    limit: 'clientConnectionsMax',
  })
  assert.equal(client.counters['clientConnectionsMax'], 1)
  await client.register('$hidden/a')
  assert.equal(await codeOf(() => client.read('a/b/c/d/e/f/g/h')), 'NOT_REGISTERED')
})

/** A broker whose PUBLISH, sent to those who subscribe, has so many bytes in all. */
async function brokerWith(context: TestContext, size: number) {
  const head = Buffer.from([0x31, 0, 0, 0, 0, 0, 1, 0x61])
  let rest = size - 5
  for (let at = 1; at <= 4; at++, rest >>= 7) head[at] = (rest & 0x7f) | (at < 4 ? 0x80 : 0)
  const sent = { published: 0 }
  const { port, connections } = await rawServer(
    context,
    answering({
      ...politeAnswers,
      3: (packet) => {
        sent.published++
        const topicEnd = 4 + packet.readUInt16BE(2)
        return Buffer.from([0x40, 2, packet[topicEnd] as number, packet[topicEnd + 1] as number])
      },
      8: (packet, socket) => {
        socket.write(Buffer.from([0x90, 3, packet[2] as number, packet[3] as number, 1]))
        return Buffer.concat([head, Buffer.alloc(size - head.length, 'x')])
      },
    }),
  )
  return { port, connections, sent }
}

test('a packet as large as it may be arrives', async (context) => {
  const { port } = await brokerWith(context, limits.packetBytesMax)
  const client = await clientOf(context, port)
  await client.register('a')
  assert.equal((await client.next('a', { timeout: '10s' })).bytes.length, limits.packetBytesMax - 8)
  assert.equal(client.counters['packetBytesMax'] ?? 0, 0)
})

test('one byte more ends the connection, which is told; after so many in a row the registration fails, and the client goes on', async (context) => {
  const { port, connections, sent } = await brokerWith(context, limits.packetBytesMax + 1)
  const told: [ConnectionState, string | undefined][] = []
  const client = await clientOf(context, port, {
    onState: (state, reason) => told.push([state, reason?.code]),
  })
  await client.register('a')
  await assert.rejects(client.next('a'), {
    code: 'LIMIT_REACHED',
    limit: 'packetBytesMax',
    message: /10485761 bytes, and we take 10485760 at the most/,
  })
  assert.equal(connections(), limits.clientAttemptsMax)
  assert.equal(client.counters['packetBytesMax'], limits.clientAttemptsMax)
  assert.deepEqual(told.slice(0, 2), [
    ['reconnecting', 'LIMIT_REACHED'],
    ['connected', undefined],
  ])
  await client.send('b', 1)
  assert.deepEqual(
    [client.state, sent.published, connections()],
    ['connected', 1, limits.clientAttemptsMax + 1],
  )
  assert.equal(await codeOf(() => client.read('a')), 'LIMIT_REACHED')
})
