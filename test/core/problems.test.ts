import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { Counters } from '#src/core/counters.js'
import { DamselflyError, errnoOf, reasonOf } from '#src/core/errors.js'
import { nearest } from '#src/core/nearest.js'
import { formatProblem, ProblemsError } from '#src/core/problems.js'
import { Secret } from '#src/core/secret.js'

const place = { file: 'damselfly.yaml', line: 3, column: 7 }

test('a problem is told with its place first, and only with the parts that it has', () => {
  assert.equal(formatProblem({ place, message: 'no such pin' }), 'damselfly.yaml:3:7: no such pin')
  assert.equal(
    formatProblem({
      place,
      message: 'no such pin',
      found: '"lmap"',
      expected: 'a pin',
      suggestion: 'lamp',
      frame: '> 3 | x',
    }),
    'damselfly.yaml:3:7: no such pin\n  found:    "lmap"\n  expected: a pin\n  try:      lamp\n\n> 3 | x',
  )
})

test('all problems of a reading are told at once', () => {
  const error = new ProblemsError([
    { place, message: 'one' },
    { place, message: 'two' },
  ])
  assert.equal(error.code, 'CONFIG_INVALID')
  assert.match(error.message, /one[\s\S]*two/)
})

test('the nearest name is found for a slip, and none for another word', () => {
  assert.equal(nearest('pubish', ['publish', 'gpio']), 'publish')
  assert.equal(nearest('on', ['in']), 'in')
  assert.equal(nearest('PROT', ['PORT', 'BIND']), 'PORT')
  assert.equal(nearest('banana', ['publish', 'gpio']), undefined)
  assert.equal(nearest('x', []), undefined)
  assert.equal(nearest('then', ['when', 'do']), 'do')
  assert.equal(nearest('then', ['when']), 'when')
  assert.equal(nearest('constructor', ['do']), undefined)
})

test('a secret shows itself in no log, no template, no JSON and no inspection', () => {
  const secret = new Secret('hunter2')
  assert.equal(`${secret} ${JSON.stringify({ secret })} ${inspect({ secret })}`.includes('hunter2'), false)
  assert.equal(secret.reveal(), 'hunter2')
  assert.equal(secret.equals(new Secret('hunter2')), true)
  assert.equal(secret.equals(new Secret('hunter3')), false)
})

test('whatever was thrown has a reason', () => {
  assert.equal(reasonOf(new Error('boom')), 'boom')
  assert.equal(reasonOf(new Error('')), 'Error')
  assert.equal(reasonOf('text'), 'text')
  assert.equal(reasonOf(undefined), 'undefined')
  assert.equal(errnoOf(Object.assign(new Error('x'), { code: 'ENOENT' })), 'ENOENT')
  assert.equal(errnoOf('x'), undefined)
  assert.equal(new DamselflyError('USAGE', 'x').name, 'DamselflyError')
})

test('counters begin at 0 and are told by name', () => {
  const counters = new Counters()
  assert.equal(counters.get('b'), 0)
  counters.add('b')
  counters.add('a', 2)
  assert.deepEqual(counters.snapshot(), { a: 2, b: 1 })
})
