import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Counters } from '#src/core/counters.js'
import { limits } from '#src/core/limits.js'
import { PinOutbox } from '#src/gpio/outbox.js'
import { MemoryHub } from '../support/gpio-hub.js'
import { KeptLog } from '../support/gpio-kit.js'

function world() {
  const hub = new MemoryHub()
  const log = new KeptLog()
  const counters = new Counters()
  return { hub, log, counters, outbox: new PinOutbox({ hub, log, counters }) }
}

test('as many messages wait for the broker as the limit says; one more is dropped, counted and told', async () => {
  const { hub, log, counters, outbox } = world()
  hub.hold()
  const send = (): void => outbox.send({ topic: 'home/bell', payload: 'short' })
  for (let sent = 0; sent < limits.pinMessagesMax; sent++) send()
  assert.equal(counters.get('pinMessagesMax'), 0)
  send()
  assert.deepEqual([hub.published.length, counters.get('pinMessagesMax')], [limits.pinMessagesMax, 1])
  assert.equal(log.of('warn')[0]?.message, 'pin message not published: the broker is too far behind')
  hub.release()
  await outbox.close()
  send()
  assert.equal(hub.published.length, limits.pinMessagesMax + 1)
})

test('a message that the broker refuses is one line, and the next one goes out', async () => {
  const { hub, log, outbox } = world()
  hub.failure = new Error('no room')
  outbox.send({ topic: 'a', payload: '' })
  outbox.send({ topic: 'b', payload: '' })
  await outbox.close()
  assert.deepEqual(log.lines, [
    { topic: 'a', reason: 'no room', level: 'warn', message: 'pin message not published' },
  ])
})

test('beyond the limit the latest of each key waits, is sent in the end, and is not counted', async () => {
  const { hub, counters, outbox } = world()
  hub.hold()
  for (let sent = 0; sent < limits.pinMessagesMax - 1; sent++)
    outbox.send({ topic: 'home/bell', payload: '' })
  const tell = (pin: string, payload: string): void => outbox.sendLatest(pin, { topic: pin, payload })
  tell('lamp', 'on') // the last one that there is room for
  for (const payload of ['off', 'on', 'off']) tell('lamp', payload)
  tell('fan', '40')
  assert.equal(hub.published.length, limits.pinMessagesMax)
  hub.release()
  await outbox.close()
  assert.deepEqual(
    hub.published.slice(limits.pinMessagesMax - 1).map(({ topic, payload }) => `${topic} ${payload}`),
    ['lamp on', 'lamp off', 'fan 40'],
  )
  assert.equal(counters.get('pinMessagesMax'), 0)
  tell('lamp', 'on')
  assert.equal(hub.published.at(-1)?.payload, 'on')
})
