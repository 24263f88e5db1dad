import assert from 'node:assert/strict'
import { afterEach, type TestContext, test } from 'node:test'
import type { Connection } from '#src/broker/connection.js'
import { DelayedRefusals } from '#src/broker/delayed-refusals.js'
import { setLimits } from '#src/core/limits.js'
import { type Line, SessionWorld, turns } from '../support/session-world.js'
import { until } from '../support/until.js'

afterEach(() => setLimits({}))

const refusal = { level: 5, reasonCode: 0x86, reason: 'wrong', maximumPacketSize: undefined } as const

async function world(context: TestContext) {
  const sessions = await SessionWorld.open()
  context.after(() => sessions.close())
  const { counters } = sessions
  const refusals = new DelayedRefusals(counters)
  const add = (delayMs: number) => {
    const line = sessions.connect()
    line.say([0x10]) // who has not said a byte is let go without a word
    const connection = [...sessions.connections].at(-1) as Connection
    refusals.add(connection, delayMs, refusal)
    return { line, connection }
  }
  return { counters, refusals, add }
}

const codes = (line: Line) => line.packets.map(({ type, body }) => [type, body[1]])

test('a refusal is sent when its time is over, and not before', async (context) => {
  const { add } = await world(context)
  const { line } = add(400)
  await turns()
  assert.deepEqual(codes(line), [])
  await until('the refusal', () => line.packets.length > 0)
  assert.deepEqual(codes(line), [[2, 0x86]])
  assert.ok(line.isClosed)
})

test('as many refusals as delayedRefusalsMax wait; of one more the oldest is sent', async (context) => {
  setLimits({ delayedRefusalsMax: 2 })
  const { add, counters } = await world(context)
  const [first, second] = [add(60_000), add(60_000)]
  await turns()
  assert.deepEqual([codes(first.line), counters.get('delayedRefusalsMax')], [[], 0])
  const third = add(60_000)
  await turns()
  assert.deepEqual(
    [first, second, third].map(({ line }) => codes(line)),
    [[[2, 0x86]], [], []],
  )
  assert.equal(counters.get('delayedRefusalsMax'), 1)
})

test('one whose client has gone takes no place', async (context) => {
  setLimits({ delayedRefusalsMax: 1 })
  const { add, refusals, counters } = await world(context)
  const first = add(60_000)
  first.connection.close({ reason: 'gone' })
  refusals.drop(first.connection)
  add(60_000)
  assert.equal(counters.get('delayedRefusalsMax'), 0)
})
