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

const always = (holds: boolean) => ({ text: `payload.is${holds}`, test: () => ({ holds }) })

test('else, until and after say what would run, and on what it depends', () => {
  const named = (name: string) => [step(() => assert.fail('must not run'), { options: () => name })]
  const both = (name: string, overrides: object) =>
    rule(name, 'home/+', named('do'), { elseSteps: named('else'), ...overrides })
  const fails = { text: 'x', test: () => ({ holds: false, isError: true, why: 'no x' }) }
  const { elseSteps: _, ...withoutElse } = both('no else', { condition: always(false), until: always(true) })
  const rules = [
    both('else', { condition: always(false) }),
    both('failed', { condition: fails }),
    both('armed', { condition: always(true), until: always(false) }),
    both('back', { condition: always(false), until: always(true) }),
    both('between', { condition: always(false), until: always(false) }),
    both('silence', { afterMs: 600_000 }),
    withoutElse,
  ]
  const told = explain(rules, message, { host: 'pi', ip: '' }).map(({ fires, why, provided, steps }) => [
    fires,
    why,
    provided,
    ...steps.map(({ options }) => options),
  ])
  assert.deepEqual(told, [
    [false, 'payload.isfalse is false', undefined, 'else'],
    [false, 'no x', undefined],
    [true, undefined, 'unless it has fired, and payload.isfalse has not held since', 'do'],
    [false, 'payload.isfalse is false', 'if it has fired before', 'else'],
    [false, 'payload.isfalse is false', undefined],
    [
      false,
      'it fires when there has been no message for 10m (after:)',
      'if it has fired for the silence before',
      'else',
    ],
    [false, 'payload.isfalse is false', undefined],
  ])
})

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
