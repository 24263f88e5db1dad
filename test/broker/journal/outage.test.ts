import assert from 'node:assert/strict'
import { mock, type TestContext, test } from 'node:test'
import { Outage } from '#src/broker/journal/outage.js'
import { Counters } from '#src/core/counters.js'
import { MemoryLog } from '../../support/memory-log.js'

function world(context: TestContext) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] })
  context.after(() => mock.timers.reset())
  const log = new MemoryLog()
  let begun = 0
  const outage = new Outage({ store: 'here', log, counters: new Counters(), onBegin: () => begun++ })
  return { outage, log, levels: () => log.lines.map(({ level }) => level), begun: () => begun }
}

test('a disk that fails now and then is told once, and its end when it has gone well for five seconds', (context) => {
  const { outage, log, levels, begun } = world(context)
  for (let time = 0; time < 3; time++) {
    outage.begin('full')
    outage.begin('still full')
    outage.refused()
    assert.equal(outage.isOn, true)
    outage.end()
    assert.equal(outage.isOn, false)
    mock.timers.tick(4_999)
  }
  assert.deepEqual([levels(), begun()], [['error'], 3])
  mock.timers.tick(1)
  assert.deepEqual(levels(), ['error', 'info'])
  assert.equal(log.lines[1]?.fields['refused'], 3)
  outage.begin('full')
  assert.deepEqual(levels(), ['error', 'info', 'error'])
})

test('the state is as it is now, with the reason that it has now', (context) => {
  const { outage } = world(context)
  assert.deepEqual(outage.state, { isWritten: true })
  outage.begin('a write takes long', 'warn')
  outage.begin('full')
  outage.refused()
  const { since, ...state } = outage.state as { since: string }
  assert.deepEqual(state, { isWritten: false, reason: 'full', refused: 1 })
  assert.equal(since, new Date().toISOString())
  outage.end()
  assert.deepEqual(outage.state, { isWritten: true })
})

test('an end that has not been told is told at the stop, and one that is not there is not', (context) => {
  const { outage, levels } = world(context)
  outage.settle()
  outage.begin('full')
  outage.settle()
  assert.deepEqual(levels(), ['error'])
  outage.end()
  outage.settle()
  mock.timers.tick(10_000)
  assert.deepEqual(levels(), ['error', 'info'])
})
