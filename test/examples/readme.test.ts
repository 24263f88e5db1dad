import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linePattern, outputPattern, readmeSteps } from '../support/readme.js'

test('a README’s console blocks are commands with what they show, its text blocks what else is seen', () => {
  const readme = [
    '```console\n$ one\n…\nready\n…\n$ two\n```',
    '```text\nseen\n```',
    '```yaml\nignored: $ yes\n```',
  ]
  assert.deepEqual(readmeSteps(readme.join('\n\n')), [
    { kind: 'command', command: 'one', expected: ['…', 'ready'], runsOn: true },
    { kind: 'command', command: 'two', expected: [], runsOn: false },
    { kind: 'output', lines: ['seen'] },
  ])
})

test('… stands for any lines or any text, and a time of day for any other; nothing else is forgiven', () => {
  assert.match('a\nb\nready: 3\n', outputPattern(['…', 'ready: …'], true))
  assert.match('', outputPattern([], true))
  assert.doesNotMatch('more\n', outputPattern([], true))
  assert.doesNotMatch('ready\nmore\n', outputPattern(['ready'], true))
  assert.doesNotMatch('a\nready\n', outputPattern(['ready'], false))
  assert.match('[23:59:59] INFO: {"a":1}', new RegExp(`^${linePattern('[07:12:03] INFO: {"a":…}')}$`))
  assert.doesNotMatch('[23:59:59] INFO: on', new RegExp(`^${linePattern('[07:12:03] INFO: off')}$`))
  assert.doesNotMatch('axb', new RegExp(`^${linePattern('a.b')}$`))
})
