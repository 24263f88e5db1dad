import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nearestFilter, TraceLines } from '#src/cli/trace-lines.js'
import type { ControlAnswer, TracedMessage } from '#src/control/protocol.js'

const at = new Date(new Date().setHours(8, 15, 0, 7)).toISOString()
const later = new Date(new Date().setHours(8, 15, 5, 9)).toISOString()
const rules = [
  { name: 'lamp on', on: ['home/lamp/set'] },
  { name: 'too hot', on: ['sensors/+/temperature'] },
  { name: 'tick', on: [] },
]

function message(more: Partial<TracedMessage>): ControlAnswer {
  const text = more.base64 === undefined ? { text: '{"msg":"ON"}' } : {}
  const rest = {
    id: 1,
    at,
    topic: 'home/lamp/set',
    ...text,
    bytes: 12,
    qos: 1,
    retain: false,
    client: 'esp',
    rules: [],
  }
  return { message: { ...rest, ...more } }
}

/** The lines for some answers, after the begin of a trace. */
function linesOf(answers: readonly ControlAnswer[], isAll = false): string[] {
  const lines = new TraceLines({ paint: (_, text) => text, isAll })
  const begin: ControlAnswer[] = [{ protocol: 1, trace: '#', name: 'shed' }, { rules }]
  return [...begin, ...answers].flatMap((answer) => lines.of(answer))
}

test('what becomes of a message stands below it, aligned', () => {
  const names = ['lamp on', 'log']
  assert.deepEqual(
    linesOf([
      message({ rules: names }),
      { rule: { id: 1, at, rule: 'lamp on', outcome: 'fired' } },
      { step: { id: 1, at, rule: 'lamp on', step: 1, action: 'gpio', outcome: 'done', tookMs: 0.412 } },
      {
        step: {
          id: 1,
          at,
          rule: 'lamp on',
          step: 2,
          action: 'exec',
          outcome: 'failed',
          tookMs: 1_204.2,
          reason: 'no such program',
        },
      },
      {
        rule: { id: 1, at, rule: 'log', outcome: 'missed', why: 'payload has no field "value"; it has msg' },
      },
    ]),
    [
      '08:15:00.007  home/lamp/set  {"msg":"ON"}  qos 1, from esp',
      '              ✔ lamp on  fired',
      '                  step 1 gpio  done in 0.41 ms',
      '                  step 2 exec  failed after 1s204ms: no such program',
      '              ✖ log      no: payload has no field "value"; it has msg',
    ],
  )
})

test('a step that does not stand right below its rule names it', () => {
  assert.deepEqual(
    linesOf([
      message({ rules: ['lamp on', 'log'] }),
      { rule: { id: 1, at, rule: 'lamp on', outcome: 'fired' } },
      { rule: { id: 1, at, rule: 'log', outcome: 'waiting', why: 'debounce: until it is quiet' } },
      { step: { id: 1, at, rule: 'lamp on', step: 1, action: 'gpio', outcome: 'done', tookMs: 1 } },
      { step: { id: 1, at, rule: 'log', step: 1, action: 'log', outcome: 'done', tookMs: 1 } },
    ]).slice(2),
    [
      '              … log      waits: debounce: until it is quiet',
      '                  lamp on, step 1 gpio  done in 1 ms',
      '                  step 1 log  done in 1 ms',
    ],
  )
})

test('what comes after another message says to which one it belongs', () => {
  assert.deepEqual(
    linesOf([
      message({ rules: ['lamp on'] }),
      message({ id: 2, topic: '', text: '', rules: ['tick'] }),
      {
        step: { id: 1, at: later, rule: 'lamp on', step: 2, action: 'http', outcome: 'done', tookMs: 5_002 },
      },
      { rule: { id: 1, at: later, rule: 'lamp on', outcome: 'fired' } },
      { rule: { id: 7, at: later, rule: 'lamp on', outcome: 'throttled' } },
    ]).slice(1),
    [
      '08:15:00.007  by the clock',
      '08:15:05.009  ↳ home/lamp/set of 08:15:00.007: lamp on, step 2 http  done in 5s2ms',
      '08:15:05.009  ↳ home/lamp/set of 08:15:00.007: ✔ lamp on  fired',
      '08:15:05.009  ↳ an earlier message: ✖ lamp on  throttled',
    ],
  )
})

test('a message that no rule listens to comes with the nearest filter, unless that is as it should be', () => {
  const second = (more: Partial<TracedMessage>) => linesOf([message(more)])[1]?.trim()
  assert.equal(second({ topic: 'home/lamp/Set' }), 'no rule listens to home/lamp/Set; nearest: home/lamp/set')
  assert.equal(second({ topic: 'quite/different' }), 'no rule listens to quite/different')
  const topic = 'damselfly/shed/pins/lamp/set'
  assert.equal(
    second({ topic, order: { pin: 'lamp', command: 'on' } }),
    'a command for the pin lamp; no rule',
  )
  assert.equal(second({ topic, order: { pin: 'lamp', command: 'on' }, rules: ['lamp on'] }), undefined)
  const problem = 'no pin is called lmap; nearest: lamp'
  assert.equal(second({ topic, order: { problem } }), problem)
  assert.equal(second({ topic, order: { problem }, rules: ['lamp on'] }), problem)
  assert.equal(second({ topic: 'damselfly/shed/pins/lamp', client: 'damselfly' }), undefined)
  assert.equal(second({ rules: ['lamp on'] }), undefined)
})

test('with --all the other rules are named, too', () => {
  assert.deepEqual(linesOf([message({ rules: ['lamp on'] })], true).slice(1), [
    '              · too hot: listens to sensors/+/temperature',
    '              · tick: goes by the clock',
  ])
})

test('payloads are shown as far as they can be', () => {
  const head = (more: Partial<TracedMessage>) => linesOf([message({ rules: ['x'], ...more })])[0]?.slice(29)
  assert.equal(head({ text: '', bytes: 0, retain: true }), '(empty)  qos 1, retained, from esp')
  assert.equal(head({ base64: '/wA=', bytes: 2 }), '(2 bytes that are no text: /wA=)  qos 1, from esp')
  assert.equal(
    head({ text: 'a'.repeat(201), bytes: 201, client: '' }),
    `${'a'.repeat(200)}… (201 bytes)  qos 1`,
  )
  assert.equal(head({ text: 'ä', bytes: 5_000 }), 'ä… (5000 bytes)  qos 1, from esp')
})

test('nothing from outside reaches the terminal as more than text', () => {
  const evil = '\x1b]0;owned\x07\x1b[2J\n\u009b31m\u202e'
  const lines = linesOf([
    message({ topic: evil, text: evil, client: evil }),
    message({ id: 2, rules: [evil] }),
    { rule: { id: 2, at, rule: evil, outcome: 'missed', why: evil } },
    { step: { id: 2, at, rule: evil, step: 1, action: evil, outcome: 'failed', tookMs: 1, reason: evil } },
  ])
  assert.doesNotMatch(lines.join(''), /[\p{Cc}\u202e]/u)
})

test('a reload and left out lines are told', () => {
  assert.deepEqual(
    linesOf([{ rules: [] }, { dropped: 12 }]).map((line) => line.trim()),
    ['from here on with the rules as they are now: 0', '12 lines left out: they came too fast to be shown'],
  )
})

test('wildcards are near to what stands in their place', () => {
  for (const [topic, expected] of [
    ['sensors/kitchen/temprature', 'sensors/+/temperature'],
    ['Home/Lamp/Set', 'home/lamp/set'],
    ['x', undefined],
    ['', undefined],
  ] as const)
    assert.equal(nearestFilter(topic, rules), expected)
  assert.equal(nearestFilter('home/a/b/c', [{ name: 'x', on: ['hom/#'] }]), 'hom/#')
})
