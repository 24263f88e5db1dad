import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits } from '#src/core/limits.js'
import { createCompiler } from '#src/rules/expressions.js'
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

test('a rule is read with until, after and else', async () => {
  const fan = await ruleOf(
    '{ on: t, when: payload.t > 30, until: { t: 20 }, do: { exec: on }, else: [{ exec: off }, { exec: x }] }',
  )
  assert.deepEqual([fan.until?.text, fan.elseSteps?.length], ['{"t":20}', 2])
  const silent = await ruleOf('{ on: t, after: 1h30m, do: { exec: x }, else: { exec: y } }')
  assert.deepEqual([silent.afterMs, silent.elseSteps?.length], [5_400_000, 1])
  const plain = await ruleOf('{ on: t, do: { exec: x } }')
  assert.deepEqual(
    ['until', 'afterMs', 'elseSteps'].filter((key) => key in plain),
    [],
  )
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
  [
    '{ on: a, until: payload.x, do: { exec: x } }',
    [/^2:14 until needs when: .* expected both, such as when:/],
  ],
  ['{ on: a, until: true, when: payload.x, do: { exec: x } }', [/"until" of this rule is neither an expr/]],
  ['{ on: a, wehn: payload.x, until: payload.x, do: { exec: x } }', [/no key "wehn" .* try when/]],
  ['{ on: a, do: { exec: x }, else: { exec: y } }', [/^2:31 else needs when: .* always runs do/]],
  ['{ on: a, when: payload.x, do: { exec: x }, else: [] }', [/^2:48 else: is empty/]],
  ['{ on: a, when: payload.x, do: { exec: x }, else: { exce: y } }', [/no action "exce" .* try exec/]],
  ['{ on: a, when: payload.x, do: { exec: x }, esle: { exec: y } }', [/no key "esle" .* try else/]],
  ['{ on: a, after: 50ms, do: { exec: x } }', [/"after" of this rule is too short .* at least 100ms/]],
  ['{ on: a, after: 25d, do: { exec: x } }', [/"after" of this rule is not a duration .* at most 24d/]],
  ['{ on: a, after: 10, do: { exec: x } }', [/"after" of this rule has no unit .* 10s for seconds/]],
  ['{ every: 5s, after: 10m, do: { exec: x } }', [/after is for rules with on:; this one has every:/]],
  [
    '{ on: a, after: 10m, debounce: 1s, retained: true, when: payload.x, until: payload.x, do: { exec: x } }',
    [/debounce does not go with after/, /retained does not/, /until does not/],
  ],
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

const realWorld = { compiler: createCompiler() }

test('the names of pins are known in expressions, also those of pins with a mistake', async () => {
  const yaml = (name: string) =>
    `pins: { door: { gpio: 27, in: true }, broken: { gpio: x y, in: true } }\nrules: [{ on: a, when: pins.${name} == "on", do: { exec: "${'$'}{pins.${name}}" } }]`
  const wrong = (await problemsOf({ yaml: yaml('dor'), ...realWorld })).map(brief)
  assert.deepEqual(
    wrong.filter((text) => text.includes('no pin')).map((text) => text.split(' |')[0]),
    ['2:24 no pin is named "dor"', '2:57 no pin is named "dor"'].map(
      (text) => `${text}; pins are door, broken`,
    ),
  )
  const right = await problemsOf({ yaml: yaml('broken'), ...realWorld })
  assert.equal(right.filter(({ message }) => message.includes('no pin')).length, 0)
})

test('a step says what its templates need a memory for', async () => {
  const { settings } = await settingsOf({
    yaml: 'rules: [{ on: a, do: [{ exec: "${last(\'b\').payload} ${count}" }, { exec: "${payload}" }] }]',
    ...realWorld,
  })
  const [first, second] = settings.rules[0]?.steps ?? []
  assert.deepEqual(
    [first?.needs?.lastTopics, first?.needs?.isCounting, second?.needs],
    [['b'], true, undefined],
  )
})

test('as many topics as are remembered may be named in last(…), and not one more', async () => {
  const rulesFor = (topics: number) =>
    `rules:\n${Array.from({ length: topics }, (_, index) => ` - { on: a, when: 'last("${index}").payload == 1', do: { exec: x } }`).join('\n')}`
  assert.deepEqual(await problemsOf({ yaml: rulesFor(limits.lastTopicsMax), ...realWorld }), [])
  const [problem] = await problemsOf({ yaml: rulesFor(limits.lastTopicsMax + 1), ...realWorld })
  assert.match(String(problem?.message), /more than 1000 topics/)
})
