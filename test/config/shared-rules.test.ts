import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brief, problemsOf, settingsOf } from '../support/config-world.js'

const attached = 'BROKER_URL=mqtt://10.0.0.1\nNAME=shed\n'
const rule = (on: string, more = '') => `rules: [ { name: r, on: ${on}${more}, do: { exec: x } } ]`

test('a rule shares a subscription with others at a broker elsewhere, and matches what follows the group', async () => {
  const yaml = rule('[ "$share/pis/home/#", $share/pis/shed/+/set, garden/# ]')
  const { settings } = await settingsOf({ yaml, env: attached })
  assert.deepEqual(settings.rules[0]?.trigger, {
    kind: 'message',
    filters: ['home/#', 'shed/+/set', 'garden/#'],
    subscriptions: ['$share/pis/home/#', '$share/pis/shed/+/set', 'garden/#'],
  })
  const plain = await settingsOf({ yaml: rule('home/#'), env: attached })
  assert.deepEqual(plain.settings.rules[0]?.trigger, { kind: 'message', filters: ['home/#'] })
})

const none = 'expected none: a broker does not say whose turn a message is'
const mistakes: readonly [yaml: string, expected: string][] = [
  [
    rule('$share/pis'),
    '1:25 "$share/pis" is no shared subscription: it is not of the form $share/GROUP/FILTER | found $share/pis | expected such as $share/pis/sensors/#',
  ],
  [
    rule('$share/pis/a#'),
    '1:25 "$share/pis/a#" is no shared subscription: # must be the last level, alone: a/b/# | found $share/pis/a# | expected such as $share/pis/sensors/#',
  ],
  [
    rule('$share/pis/a', ', retained: true'),
    '1:39 retained does not go with $share: retained messages are not shared | try remove retained',
  ],
  [
    rule('$share/pis/a', ', after: 10m'),
    '1:39 after does not go with $share: messages that others of the group get look like silence | try remove after',
  ],
  [
    rule('[ "$share/pis/a/#", a/b ]'),
    `1:10 "$share/pis/a/#" of the rule "r" has topics in common with "a/b" of the rule "r" | ${none}`,
  ],
  [
    rule('[ $share/pis/a/+, $share/others/+/b ]'),
    `1:10 "$share/pis/a/+" of the rule "r" has topics in common with "$share/others/+/b" of the rule "r" | ${none}`,
  ],
  [
    rule('"$share/pis/damselfly/#"'),
    `1:10 "$share/pis/damselfly/#" of the rule "r" has topics in common with "damselfly/shed/#", where Damselfly itself listens | ${none}`,
  ],
]

for (const [yaml, expected] of mistakes)
  test(`of the shared subscription in ${yaml} the mistake is told`, async () => {
    const told = (await problemsOf({ yaml, env: attached })).map(brief)
    assert.ok(told.includes(expected), told.join('\n'))
  })

test('the same share in two rules is one, and topics that have nothing in common go together', async () => {
  const yaml = `rules:
  - { on: $share/pis/a/#, do: { exec: x } }
  - { on: $share/pis/a/#, do: { exec: y } }
  - { on: [ b/#, damselfly/other/status ], do: { exec: z } }
`
  assert.deepEqual(await problemsOf({ yaml, env: attached }), [])
})

test('with a broker of our own there is nobody to share with, which is told', async () => {
  const [problem] = await problemsOf({ yaml: rule('$share/pis/home/#') })
  assert.equal(
    problem && brief(problem),
    '1:25 "$share/pis/home/#" shares messages with others, and only this process has rules here | found $share/pis/home/# | expected BROKER_URL in .env, for several Damselflies at one broker | try home/#',
  )
})
