import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Outbox, type OutboxMessage } from '#src/broker/attached/outbox.js'
import { Counters } from '#src/core/counters.js'
import { limits } from '#src/core/limits.js'
import { MemoryLog } from '../../support/memory-log.js'

const overheadBytes = 64

/** An outbox, and a connection that acknowledges when it is told to. */
function world() {
  const log = new MemoryLog()
  const counters = new Counters()
  const clock = { nowMs: 0 }
  const outbox = new Outbox({ log, counters, nowMs: () => clock.nowMs })
  const sent: OutboxMessage[] = []
  const acks: (() => void)[] = []
  const stuck = { count: 0 }
  const open = (): void =>
    outbox.open(
      (message) => {
        sent.push({ ...message })
        return { id: message.qos === 0 ? 0 : sent.length, done: new Promise((resolve) => acks.push(resolve)) }
      },
      () => stuck.count++,
    )
  const acknowledge = async (count = acks.length): Promise<void> => {
    for (const ack of acks.splice(0, count)) ack()
    await new Promise(setImmediate)
  }
  const payloads = () => sent.map(({ payload }) => Buffer.from(payload).toString())
  const add = (payload: string, more: object = {}) => outbox.add({ topic: 't', payload, ...more })
  return { outbox, log, counters, clock, sent, stuck, open, acknowledge, payloads, add }
}

test('what waits is sent in order, with QoS 1 at least; what need not wait keeps its QoS', async () => {
  const { open, add, sent, acknowledge } = world()
  add('a')
  add('b', { qos: 2, retain: true })
  open()
  add('c')
  assert.deepEqual(
    sent.map(({ qos, retain }) => [qos, retain]),
    [
      [1, false],
      [2, true],
      [0, false],
    ],
  )
  await acknowledge()
})

test('what was not acknowledged is sent again, first and with its packet id; QoS 0 is sent once', async () => {
  const { outbox, open, add, sent, payloads, acknowledge } = world()
  open()
  for (const payload of ['a', 'b', 'c']) add(payload, { qos: 1 })
  add('zero')
  await acknowledge(1)
  outbox.close(false)
  add('d')
  open()
  assert.deepEqual(payloads(), ['a', 'b', 'c', 'zero', 'b', 'c', 'd'])
  assert.deepEqual(
    sent.map(({ againAs }) => againAs),
    [undefined, undefined, undefined, undefined, 2, 3, undefined],
  )
  await acknowledge()
  assert.equal(outbox.size, 0)
})

test('an acknowledgement of an earlier connection counts for nothing', async () => {
  const { outbox, open, add, acknowledge } = world()
  open()
  add('a', { qos: 1 })
  outbox.close(false)
  await acknowledge()
  assert.equal(outbox.size, 1)
})

test(`${limits.linkInflightMax} messages are under way at once`, async () => {
  const { open, add, sent, acknowledge } = world()
  open()
  for (let n = 0; n <= limits.linkInflightMax; n++) add(`${n}`, { qos: 1 })
  assert.equal(sent.length, limits.linkInflightMax)
  await acknowledge(1)
  assert.equal(sent.length, limits.linkInflightMax + 1)
})

test('as many messages as may wait do; one more, and the oldest goes', async () => {
  const { outbox, counters, log, add, open, payloads } = world()
  for (let n = 0; n < limits.linkMessagesMax; n++) add(`${n}`)
  assert.equal(outbox.size, limits.linkMessagesMax)
  assert.equal(counters.get('linkMessagesMax'), 0)
  add('one more')
  assert.equal(outbox.size, limits.linkMessagesMax)
  assert.equal(counters.get('linkMessagesMax'), 1)
  assert.deepEqual(
    log.lines.map(({ level, message }) => [level, message]),
    [['warn', 'too many messages wait for the broker: oldest dropped']],
  )
  open()
  assert.equal(payloads()[0], '1')
})

test('as many bytes as may wait do; one more, and the oldest goes', () => {
  const { outbox, counters, add } = world()
  const half = 'x'.repeat(limits.linkBytesMax / 2 - overheadBytes - 't'.length)
  add(half)
  add(half)
  assert.equal(counters.get('linkBytesMax'), 0)
  add('')
  assert.equal(counters.get('linkBytesMax'), 1)
  assert.equal(outbox.size, 2)
})

test('what waited too long is dropped, but not what is retained', () => {
  const { outbox, clock, counters, log, add, open, payloads } = world()
  add('late')
  add('state', { retain: true })
  clock.nowMs = 1
  add('just in time')
  clock.nowMs = limits.linkWaitMsMax
  open()
  assert.deepEqual(payloads(), ['state', 'just in time'])
  assert.equal(counters.get('linkWaitMsMax'), 1)
  assert.equal(log.lines.length, 1)
  assert.equal(outbox.takeLostState(), false)
})

test('what waits too long behind others on a standing connection is not sent', async () => {
  const { clock, counters, log, add, open, sent, payloads, acknowledge } = world()
  open()
  for (let n = 0; n < limits.linkInflightMax; n++) add('first', { qos: 1 })
  add('late')
  add('later')
  add('state', { retain: true })
  clock.nowMs = limits.linkWaitMsMax
  sent.length = 0
  await acknowledge(1)
  assert.deepEqual(payloads(), ['state'])
  assert.equal(counters.get('linkWaitMsMax'), 2)
  assert.equal(log.having('messages waited too long for the broker: dropped').length, 1)
})

test('a broker that does not acknowledge the oldest message in time is stuck, one that goes on is not', async () => {
  const { clock, stuck, add, open, sent, acknowledge, outbox } = world()
  open()
  for (const payload of ['a', 'b']) add(payload, { qos: 1 })
  clock.nowMs = limits.linkAckMsMax - 1
  await acknowledge(1)
  clock.nowMs += limits.linkAckMsMax - 1
  add('c', { qos: 1 })
  assert.equal(stuck.count, 0)
  assert.equal(sent.length, 3)
  clock.nowMs += 1
  add('d', { qos: 1 })
  assert.equal(stuck.count, 1)
  assert.equal(sent.length, 3)
  outbox.close(false)
  open()
  assert.equal(stuck.count, 1)
  assert.equal(sent.length, 6)
})

test('it is noticed also when nothing more is published, and only while there is a connection', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const { clock, stuck, add, open, outbox } = world()
  open()
  add('a', { qos: 1 })
  clock.nowMs = limits.linkAckMsMax
  t.mock.timers.tick(5_000)
  assert.equal(stuck.count, 1)
  outbox.close(false)
  t.mock.timers.tick(60_000)
  assert.equal(stuck.count, 1)
})

test('a state that was dropped is told of, once', () => {
  const { outbox, add } = world()
  add('state', { retain: true })
  for (let n = 0; n < limits.linkMessagesMax; n++) add('x')
  assert.equal(outbox.takeLostState(), true)
  assert.equal(outbox.takeLostState(), false)
})

test('after the broker has closed the connection they go one by one, and one that it closes for is dropped at last', async () => {
  const { outbox, counters, log, add, open, sent, acknowledge } = world()
  open()
  add('bad', { qos: 1 })
  add('good', { qos: 1 })
  for (let n = 0; n < 4; n++) {
    outbox.close(true)
    sent.length = 0
    open()
    assert.equal(sent.length, 1)
  }
  outbox.close(true)
  assert.equal(counters.get('link.refusedMessages'), 1)
  assert.equal(log.lines.at(-1)?.level, 'error')
  open()
  await acknowledge()
  assert.equal(outbox.size, 0)
})

test('a broker that is only away has nothing against a message', () => {
  const { outbox, counters, add, open } = world()
  open()
  add('a', { qos: 1 })
  for (let n = 0; n < 20; n++) {
    outbox.close(false)
    open()
  }
  assert.equal(counters.get('link.refusedMessages'), 0)
})

test('it is idle when all is acknowledged, or when there is no connection', async () => {
  const { outbox, add, open, acknowledge } = world()
  add('a')
  await outbox.idle()
  open()
  let isIdle = false
  const idle = outbox.idle().then(() => {
    isIdle = true
  })
  await new Promise(setImmediate)
  assert.equal(isIdle, false)
  await acknowledge()
  await idle
  add('b', { qos: 1 })
  const gone = outbox.idle()
  outbox.close(false)
  await gone
})
