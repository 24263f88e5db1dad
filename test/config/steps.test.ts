import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z as otherZ } from 'zod'
import type { ActionDefinition } from '#src/core/action.js'
import { DamselflyError } from '#src/core/errors.js'
import { limits } from '#src/core/limits.js'
import { brief, eventWith, problemsOf, settingsOf, standIns } from '../support/config-world.js'

const pins = 'pins: { lamp: { gpio: 17, out: true }, door: { gpio: 27, in: true } }'

async function stepOf(text: string, actions: readonly ActionDefinition[] = standIns) {
  const { settings } = await settingsOf({ yaml: `${pins}\nrules:\n  - on: a\n    do: ${text}\n`, actions })
  const step = settings.rules[0]?.steps[0]
  assert.ok(step)
  return step
}

async function mistakesOf(text: string, actions: readonly ActionDefinition[] = standIns) {
  return (await problemsOf({ yaml: `${pins}\nrules:\n  - on: a\n    do: ${text}\n`, actions })).map(brief)
}

test('constant options are checked once, and every event gets the same frozen value', async () => {
  const step = await stepOf('{ gpio: lamp, set: on, for: 30s }')
  const options = step.options(eventWith(''))
  assert.deepEqual(options, { gpio: 'lamp', set: 'on', for: 30_000 })
  assert.equal(step.options(eventWith('x')), options)
  assert.ok(Object.isFrozen(options))
})

test('templates are filled in for each event, and one that stands alone keeps its type', async () => {
  const step = await stepOf(
    `{ publish: "home/\${payload.room}", json: { t: "\${payload.t}", who: me, all: ["\${payload}"] } }`,
  )
  assert.deepEqual(step.options(eventWith({ room: 'attic', t: 21.5 })), {
    publish: 'home/attic',
    json: { t: 21.5, who: 'me', all: [{ room: 'attic', t: 21.5 }] },
    qos: 0,
    retain: false,
  })
})

test('an action may write into the options of a templated step without harm to the next event', async () => {
  const step = await stepOf(`{ publish: "home/\${payload.room}", json: { list: [1, 2] } }`)
  const first = step.options(eventWith({ room: 'a' })) as { json: { list: number[] } }
  try {
    first.json.list.push(3)
  } catch {
    // frozen is as good as a copy
  }
  const second = step.options(eventWith({ room: 'b' })) as { json: { list: number[] } }
  assert.deepEqual(second.json.list, [1, 2])
})

test('options that are wrong once filled in name the option, what was found and what was expected', async () => {
  const step = await stepOf(`{ gpio: lamp, set: "\${payload.set}" }`)
  assert.deepEqual(step.options(eventWith({ set: 'off' })), { gpio: 'lamp', set: 'off' })
  assert.throws(
    () => step.options(eventWith({ set: 'onn' })),
    (error) =>
      error instanceof DamselflyError &&
      error.code === 'OPTIONS_INVALID' &&
      error.message ===
        'config/damselfly.yaml:4:9: "set" of the action "gpio" is not right, found "onn", expected on, off or toggle',
  )
  assert.throws(() => step.options(eventWith({})), /"set" of the action "gpio" is missing/)
})

test('a step’s time limit is its own, else the action’s, else the house’s', async () => {
  assert.equal((await stepOf('{ exec: x, timeout: 10s }')).timeoutMs, 10_000)
  assert.equal((await stepOf('{ exec: x }')).timeoutMs, 5_000)
  assert.equal((await stepOf('{ gpio: lamp, set: on }')).timeoutMs, limits.stepTimeoutMs)
})

test('timeout is handed only to an action that has such an option', async () => {
  assert.deepEqual((await stepOf('{ exec: x, timeout: 10s }')).options(eventWith('')), { exec: 'x' })
  const slow = await stepOf('{ slow: 1, timeout: 2s }')
  assert.deepEqual(slow.options(eventWith('')), { slow: 1, timeout: 2_000 })
  assert.equal(slow.timeoutMs, limits.stepTimeoutMs)
})

const right: readonly string[] = [
  `{ exec: [a, "\${payload.x}"], publish: a/b }`,
  `{ exec: "\${payload.command}" }`,
  `{ publish: "\${payload.where}", text: "\${payload.x}", qos: "\${payload.qos}", retain: "\${payload.r}" }`,
  `{ publish: a, text: "", headers: { x: "\${payload.x}" }, many: [{ to: "\${topic}", level: "\${payload.l}" }] }`,
  `{ gpio: "\${payload.pin}", set: "\${payload.set}", for: "\${payload.for}" }`,
  '[{ exec: x }, { gpio: lamp, set: toggle }]',
]
for (const text of right)
  test(`the step ${text} is accepted`, async () => {
    assert.deepEqual(await mistakesOf(text), [])
  })

const wrong: readonly [step: string, problems: readonly RegExp[]][] = [
  [
    '{ gpoi: lamp, set: on }',
    [/^4:11 there is no action "gpoi" \| expected one of exec, gpio, publish, slow \| try gpio/],
  ],
  ['{ banana: 1 }', [/^4:11 there is no action "banana"/]],
  ['{ set: on, gpio: lamp }', [/^4:11 "set" is no action; the first key .* \| try write gpio: first/]],
  ['{ timeout: 5s, exec: x }', [/"timeout" is no action.* try write exec: first/]],
  ['{}', [/^4:9 this step is empty/]],
  ['[exec]', [/^4:10 a step is not a map \| found exec/]],
  [
    '{ gpio: lampe, set: on }',
    [/^4:17 "gpio" of the action "gpio": no output pin is named "lampe".* found lampe \| try lamp/],
  ],
  ['{ gpio: door, set: on }', [/no output pin is named "door"/]],
  [
    '{ gpio: lamp, set: onn }',
    [/^4:28 "set" of the action "gpio" is not right \| found onn \| expected on, off or toggle \| try on/],
  ],
  [
    '{ gpio: lamp, set: on, fro: 3s }',
    [/^4:32 the action "gpio" has no option "fro" \| expected one of gpio, set, for, timeout \| try for/],
  ],
  ['{ gpio: lamp, ste: on }', [/has no option "ste" .* try set/]],
  ['{ gpio: lamp }', [/^4:11 "set" of the action "gpio" is missing \| expected on, off or toggle/]],
  [
    '{ gpio: lamp, set: on, for: 3 }',
    [/^4:37 "for" of the action "gpio" has no unit \| found 3 \| expected a duration such as/],
  ],
  ['{ gpio: lamp, set: on, for: soon }', [/^4:37 "for" of the action "gpio": not a duration: "soon"/]],
  ['{ exec: x, timeout: 10 }', [/"timeout" of the action "exec" has no unit/]],
  ['{ exec: x, timeout: 0s }', [/too short/]],
  [`{ exec: x, timeout: "\${payload.t}" }`, [/is not a duration/]],
  ['{ exec: 5 }', [/^4:17 "exec" of the action "exec" is not right \| found 5 \| expected a text or a list/]],
  [
    '{ exec: [] }',
    [/^4:17 "exec" of the action "exec" is not right \| found \[\] \| expected at least 1 entries/],
  ],
  ['{ exec: [a, 5] }', [/^4:21 "exec\[1\]" of the action "exec" is not right \| found 5 \| expected a text/]],
  ['{ publish: a/+, text: x }', [/^4:20 "publish" of the action "publish": "a\/\+" is not a topic/]],
  ['{ publish: a, text: x, qos: 3 }', [/^4:37 "qos" .* found 3 \| expected 0, 1 or 2/]],
  ['{ publish: a }', [/the step of the action "publish": exactly one of text and json/]],
  [
    '{ publish: a, text: x, headers: { a: 5 } }',
    [/^4:46 "headers.a" of the action "publish" is not right \| found 5 \| expected a text/],
  ],
  [
    '{ publish: a, text: x, many: [{ to: a, level: 10 }] }',
    [/"many\[0\].level" .* found 10 \| expected at most 9/],
  ],
  [
    '{ publish: a, text: x, many: [{ level: 1 }] }',
    [/^4:41 "many\[0\].to" of the action "publish" is missing \| expected a text/],
  ],
  // with templates beside them, wrong constants are still found
  [`{ gpio: "\${payload.pin}", set: onn }`, [/"set" of the action "gpio" is not right/]],
  [`{ gpio: "\${payload.pin}", set: on, fro: 1s }`, [/has no option "fro"/]],
  [`{ gpio: "\${payload.pin}" }`, [/"set" of the action "gpio" is missing/]],
  [`{ exec: ["\${payload.x}", 5] }`, [/"exec\[1\]" .* found 5/]],
  [`{ publish: "\${payload.x}", text: a, json: b }`, [/exactly one of text and json/]],
  // templates that cannot be compiled, and nothing else for them
  [`{ gpio: lamp, set: "\${payload.@x}" }`, [/^4:39 this expression is not understood/]],
  [`{ gpio: lamp, set: on, for: "\${payload" }`, [/^4:38 a } is missing/]],
]
for (const [text, expected] of wrong)
  test(`the step ${text} is refused`, async () => {
    const problems = await mistakesOf(text)
    assert.equal(problems.length, expected.length, problems.join('\n'))
    for (const [index, pattern] of expected.entries()) assert.match(problems[index] as string, pattern)
  })

test('a key __proto__ in options changes no prototype', async () => {
  const step = await stepOf(`{ publish: a, json: { __proto__: { polluted: 1 }, t: "\${payload}" } }`)
  step.options(eventWith({ a: 1 }))
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
})

const broken: readonly [title: string, options: () => unknown, expected: RegExp][] = [
  [
    'throws',
    () => {
      throw new Error('no luck')
    },
    /the action "bad" is broken: its options\(\) failed: no luck/,
  ],
  ['gives no schema', () => ({}), /its options\(\) must return z.object/],
  ['has no key of its name', () => otherZ.object({ other: otherZ.string() }), /have no key "bad"/],
  [
    'has a check that throws',
    () =>
      otherZ.object({
        bad: otherZ.string().refine(() => {
          throw new Error('oops')
        }),
      }),
    /failed to check these options: oops/,
  ],
  [
    'has an asynchronous check',
    () => otherZ.object({ bad: otherZ.string().refine(async () => true) }),
    /failed to check these options/,
  ],
]
for (const [title, options, expected] of broken)
  test(`an action whose schema ${title} is told, once`, async () => {
    const bad = { name: 'bad', options, run: () => {} } as unknown as ActionDefinition
    const problems = await mistakesOf('{ bad: x }', [bad])
    assert.equal(problems.length, 1, problems.join('\n'))
    assert.match(problems[0] as string, expected)
  })

test('an action that allows further keys keeps them', async () => {
  const loose = {
    name: 'loose',
    options: (z: typeof otherZ) => z.looseObject({ loose: z.string() }),
    run: () => {},
  }
  const step = await stepOf('{ loose: x, more: 1 }', [loose as unknown as ActionDefinition])
  assert.deepEqual(step.options(eventWith('')), { loose: 'x', more: 1 })
})
