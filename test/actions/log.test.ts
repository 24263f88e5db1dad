import assert from 'node:assert/strict'
import { test } from 'node:test'
import { logAction } from '#src/actions/log.js'
import { tickOf } from '#src/core/event.js'
import { limits } from '#src/core/limits.js'
import { complaints, makeWorld, parse } from '../support/actions-world.js'

test('log writes a line with the rule, the action and the topic', async () => {
  await using world = await makeWorld()
  await world.run(logAction, { log: 'the door is open', level: 'warn' }, { topic: 'home/door' })
  const fields = { rule: 'a rule', action: 'log', topic: 'home/door' }
  assert.deepEqual(world.lines, [{ level: 'warn', fields, message: 'the door is open' }])
})

test('log writes any value as JSON, at info unless told', async () => {
  await using world = await makeWorld()
  await world.run(logAction, { log: { topic: 'test', content: { msg: 'Hello' }, qos: 0, retain: false } })
  await world.run(logAction, { log: 21.5 })
  assert.deepEqual(
    world.lines.map(({ level, message }) => [level, message]),
    [
      ['info', '{"topic":"test","content":{"msg":"Hello"},"qos":0,"retain":false}'],
      ['info', '21.5'],
    ],
  )
})

test('log has no topic to tell when there was no message', async () => {
  await using world = await makeWorld()
  const run = world.host.runnerFor(logAction, 'clock')
  const event = tickOf({ host: 'pi', ip: '' })
  assert.equal(
    run(parse(logAction, { log: 'tick' }), event, () => new AbortController().signal, []),
    undefined,
  )
  assert.deepEqual(world.lines[0]?.fields, { rule: 'clock', action: 'log' })
})

test('log keeps a hostile text on one line', async () => {
  await using world = await makeWorld()
  await world.run(logAction, { log: 'a\r\nERROR forged\u001b[2Jb' })
  assert.equal(world.lines[0]?.message, 'a ERROR forged [2Jb')
})

test('log writes a text at the limit whole and cuts off what is past it', async () => {
  await using world = await makeWorld()
  const most = 'x'.repeat(limits.logTextCharsMax)
  await world.run(logAction, { log: most })
  await world.run(logAction, { log: `${most}y` })
  assert.deepEqual(
    world.lines.map(({ message }) => message),
    [most, `${most}…`],
  )
})

test('log refuses a level that is none', () => {
  assert.deepEqual(complaints(logAction, { log: 'a', level: 'loud' }), ['debug, info, warn or error'])
})
