import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Counters } from '#src/core/counters.js'
import { limits } from '#src/core/limits.js'
import { Outbox } from '#src/gpio/outbox.js'
import { MemoryHub } from '../support/gpio-hub.js'
import { KeptLog } from '../support/gpio-kit.js'

function world() {
  const hub = new MemoryHub()
  const log = new KeptLog()
  const counters = new Counters()
  return { hub, log, counters, outbox: new Outbox({ hub, log, counters }) }
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
