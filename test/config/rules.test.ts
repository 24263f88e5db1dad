import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, eventWith, exec, problemsOf, settingsOf } from '../support/config-world.js'

async function ruleOf(text: string) {
  const { settings } = await settingsOf({ yaml: `rules:\n  - ${text}\n` })
  const rule = settings.rules[0]
  assert.ok(rule)
  return rule
}

test('a rule is read with every key', async () => {
  const rule = await ruleOf(
    '{ name: lamp, enabled: false, on: [a/b, c/+, a/b], when: payload.msg == "ON", do: { exec: /bin/true }, throttle: 10s, debounce: 200ms, retained: true }',
  )
  const { steps, condition, source, ...rest } = rule
  assert.deepEqual(rest, {
    name: 'lamp',
    isEnabled: false,
    trigger: { kind: 'message', filters: ['a/b', 'c/+'] },
    firesOnRetained: true,
    throttleMs: 10_000,
    debounceMs: 200,
    place: { file: 'config/damselfly.yaml', line: 2, column: 5 },
  })
  assert.equal(condition?.text, 'payload.msg == "ON"')
  assert.equal(steps[0]?.action, exec)
  assert.equal(JSON.parse(source).name, 'lamp')
})

test('a rule has defaults, and its condition may be a map', async () => {
  const rule = await ruleOf('{ on: a/b, when: { msg: ON }, do: [{ exec: x }] }')
  assert.equal(rule.isEnabled, true)
  assert.equal(rule.firesOnRetained, false)
  assert.equal(rule.throttleMs, undefined)
  assert.equal(rule.condition?.text, '{"msg":"ON"}')
  assert.equal((await ruleOf('{ on: a/b, do: { exec: x } }')).condition, undefined)
})

const triggers: readonly [text: string, trigger: object][] = [
  ['every: 100ms', { kind: 'every', everyMs: 100 }],
  ['at: 07:30', { kind: 'at', cron: '30 7 * * *' }],
  ['at: "7:05:09"', { kind: 'at', cron: '9 5 7 * * *' }],
  ['at: "0 7 * * mon-fri"', { kind: 'at', cron: '0 7 * * mon-fri' }],
  ['at: "*/10 * * * * *"', { kind: 'at', cron: '*/10 * * * * *' }],
  ['on: "#"', { kind: 'message', filters: ['#'] }],
]
for (const [text, trigger] of triggers)
  test(`${text} sets a rule off`, async () => {
    assert.deepEqual((await ruleOf(`{ ${text}, do: { exec: x } }`)).trigger, trigger)
  })

test('a rule without a name gets one from what sets it off, and no two are the same', async () => {
  const { settings } = await settingsOf({
    yaml: `rules:
  - { on: a/b, do: { exec: x } }
  - { on: a/b, do: { exec: x } }
  - { name: "a/b (2)", on: c, do: { exec: x } }
  - { on: [a, b], do: { exec: x } }
  - { every: 90s, do: { exec: x } }
  - { at: 07:30, do: { exec: x } }`,
  })
  assert.deepEqual(
    settings.rules.map(({ name }) => name),
    ['a/b', 'a/b (3)', 'a/b (2)', 'a, b', 'every 1m30s', 'at 07:30'],
  )
})

test('a rule’s source stays the same when only its form changes', async () => {
  const a = await ruleOf('{ on: a/b, do: { exec: "x" } } # why')
  const b = await ruleOf("on: 'a/b'\n    do:\n      exec: x")
  const c = await ruleOf('{ on: a/b, do: { exec: y } }')
  assert.equal(a.source, b.source)
  assert.notEqual(a.source, c.source)
})

const mistakes: readonly [rule: string, problems: readonly RegExp[]][] = [
  ['lamp', [/^2:5 a rule is not a map \| found lamp/]],
  ['{ do: { exec: x } }', [/^2:5 this rule does not say what sets it off/]],
  ['{ evry: 5s, do: { exec: x } }', [/^2:7 a rule has no key "evry" .* try every/]],
  ['{ on: a, every: 5s, do: { exec: x } }', [/^2:14 this rule has on: and every: .* exactly one/]],
  ['{ on: a }', [/^2:7 this rule does nothing: it has no do:/]],
  ['{ on: a, do: [] }', [/^2:14 this rule does nothing: do: is empty/]],
  ['{ on: a, do: }', [/do: is empty/]],
  ['{ on: a/#/b, do: { exec: x } }', [/^2:11 "a\/#\/b" is not a topic filter: # must be the last level/]],
  ['{ on: [a, b+], do: { exec: x } }', [/^2:15 "b\+" is not a topic filter/]],
  ['{ on: [], do: { exec: x } }', [/empty list/]],
  ['{ on: , do: { exec: x } }', [/has no filter \| .* in.* quotes/]],
  ['{ on: 5, do: { exec: x } }', [/is not a text \| found 5/]],
  ['{ every: 99ms, do: { exec: x } }', [/^2:14 "every" of this rule is too short .* at least 100ms/]],
  ['{ every: 5, do: { exec: x } }', [/has no unit/]],
  [
    '{ every: 5s, throttle: 1s, retained: true, do: { exec: x } }',
    [/throttle is for rules with on:/, /retained is for/],
  ],
  ['{ at: "24:00", do: { exec: x } }', [/^2:11 there is no such time of day/]],
  ['{ at: "61 * * * *", do: { exec: x } }', [/nor a cron pattern: invalid value for minute/i]],
  ['{ at: "0 0 30 2 *", do: { exec: x } }', [/never comes/]],
  ['{ at: noon, do: { exec: x } }', [/neither a time of day nor a cron pattern/]],
  [
    '{ on: a, when: payload.x @ 1, do: { exec: x } }',
    [/^2:30 this expression is not understood \| found payload.x @ 1/],
  ],
  [
    '{ on: a, when: true, do: { exec: x } }',
    [/^2:20 "when" of this rule is neither an expression nor a map/],
  ],
  ['{ on: a, enabled: "no", do: { exec: x } }', [/neither true nor false .* try false/]],
  ['{ on: a, throttle: soon, do: { exec: x } }', [/"throttle" of this rule is not a duration/]],
]
for (const [rule, expected] of mistakes)
  test(`the rule ${JSON.stringify(rule)} is refused`, async () => {
    const problems = (await problemsOf({ yaml: `rules:\n  - ${rule}\n` })).map(brief)
    assert.equal(problems.length, expected.length, problems.join('\n'))
    for (const [index, pattern] of expected.entries()) assert.match(problems[index] as string, pattern)
  })

test('an expression in a block is told on its own line', async () => {
  const problems = await problemsOf({
    yaml: 'rules:\n  - on: a\n    when: >-\n      payload.x &&\n      payload.@y\n    do: { exec: x }\n',
  })
  assert.match(problems.map(brief).join('\n'), /^5:15 this expression/)
})

test('two rules with the same name are told with both lines', async () => {
  const problems = await problemsOf({
    yaml: 'rules:\n - { name: a, on: a, do: { exec: x } }\n - { name: a, on: b, do: { exec: x } }',
  })
  assert.match(problems.map(brief).join('\n'), /^3:12 another rule has the name "a", on line 2/)
})

test('plugins are handed over with their places, and wrong names are told', async () => {
  const problems = await problemsOf({ yaml: 'plugins:\n  - ../x\n  - a\n  - a\n  - 5' })
  assert.deepEqual(
    problems.map((problem) => brief(problem).split(' |')[0]),
    [
      '2:5 "../x" is not the name of a package',
      '4:5 the plugin "a" is there twice',
      '5:5 a plugin is not a text',
    ],
  )
})

test('mistakes in actions are told with the others', async () => {
  const place = { file: 'config/actions/buzz.js', line: 1, column: 1 }
  const problems = await problemsOf({ yaml: 'pin: 1', actionProblems: [{ place, message: 'no name' }] })
  assert.deepEqual(
    problems.map(({ message }) => message),
    ['no name', 'this file has no key "pin"'],
  )
})

test('a condition is the one that the compiler gave', async () => {
  const rule = await ruleOf('{ on: a, when: payload.x, do: { exec: x } }')
  assert.equal(rule.condition?.test(eventWith({ x: true })).holds, true)
  assert.equal(rule.condition?.test(eventWith({ x: false })).holds, false)
})
