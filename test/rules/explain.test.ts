import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Message } from '#src/core/message.js'
import { explain } from '#src/rules/explain.js'
import { rule, step } from '../support/rules.js'

const message: Message = {
  topic: 'home/lamp',
  payload: Buffer.from('{"msg":"ON"}'),
  qos: 0,
  retain: false,
  client: 'c',
  chain: [],
}

test('each rule says whether it fires, why not, and what its steps would get; no action runs', () => {
  const runs = () => assert.fail('must not run')
  const no = { text: 'payload.x > 1', test: () => ({ holds: false, why: 'payload has no field "x"' }) }
  const rules = [
    rule('fires', 'home/+', [step(runs, { options: (event) => ({ got: event.payload }) })]),
    rule('other topic', 'garden/+', [step(runs)]),
    rule('condition', 'home/#', [step(runs)], { condition: no }),
    rule('disabled', 'home/#', [step(runs)], { isEnabled: false }),
    rule('clock', { kind: 'every', everyMs: 1_000 }, [step(runs)]),
    rule('bad step', 'home/lamp', [
      step(runs, {
        options: () => {
          throw new Error('payload has no field "y"')
        },
      }),
    ]),
  ]
  const told = explain(rules, message, { host: 'pi', ip: '' }).map(
    ({ rule: { name }, fires, why, steps }) => [
      name,
      fires,
      why ?? steps.map(({ options, error }) => options ?? error),
    ],
  )
  assert.deepEqual(told, [
    ['fires', true, [{ got: { msg: 'ON' } }]],
    ['other topic', false, 'the topic does not match garden/+'],
    ['condition', false, 'payload has no field "x"'],
    ['disabled', false, 'it is not enabled'],
    ['clock', false, 'it fires by the clock (every:), not on messages'],
    ['bad step', true, ['payload has no field "y"']],
  ])
})
