import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mergeEnv, mergeYaml } from '#src/moving/merge.js'

const values = new Map([
  ['PORT', '1884'],
  ['BIND', 'all'],
])

test('a key of .env that is set is changed in its line, others come at the end', () => {
  const before = '# mine\nMQTT_PASSWORD="a#b"\nexport PORT=1883 # old\n#BIND=lan\n'
  assert.equal(
    mergeEnv(before, values, 'from x'),
    '# mine\nMQTT_PASSWORD="a#b"\nexport PORT=1884\n#BIND=lan\n\n# from x\nBIND=all\n',
  )
  const once = mergeEnv('', values, 'from x')
  assert.equal(once, '# from x\nPORT=1884\nBIND=all\n')
  assert.equal(mergeEnv(once, values, 'from x'), once)
})

const none = new Map()
const web = new Map([['ws-9001', { port: 9_001, websocket: { path: '/mqtt' } }]])

test('new sections come at the end of damselfly.yaml, and nothing else changes', () => {
  const before = '# my house\npins:\n  lamp: {gpio:   17, out: true}   # relay\n'
  const after = mergeYaml(before, { listeners: web, bridges: none })
  assert.ok(after.startsWith(before))
  assert.equal(
    after.slice(before.length),
    '\nlisteners:\n  ws-9001:\n    port: 9001\n    websocket:\n      path: /mqtt\n',
  )
  assert.equal(mergeYaml(before, { listeners: none, bridges: none }), before)
})

test('a listener of the same name is replaced, others and comments stay', () => {
  const before = '# head\nlisteners:\n  mine: { port: 1 } # stays\n  ws-9001: { port: 2 }\nrules: [] # none\n'
  const after = mergeYaml(before, { listeners: web, bridges: none })
  assert.match(after, /^# head\nlisteners:\n {2}mine: \{ port: 1 \} # stays\n {2}ws-9001:\n {4}port: 9001\n/)
  assert.match(after, /\nrules: \[\] # none\n$/)
  assert.equal(mergeYaml(after, { listeners: web, bridges: none }), after)
})

test('what is no YAML, or no map, is left alone and told', () => {
  for (const text of ['pins: [', '- a\n'])
    assert.throws(() => mergeYaml(text, { listeners: web, bridges: none }), { code: 'CONFIG_INVALID' })
})
