import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { isForeign } from '#src/cli/foreign-error.js'
import { DamselflyError } from '#src/core/errors.js'

test('what was thrown out of a file of theirs, or out of no file at all, is foreign', async () => {
  assert.equal(isForeign(new Error('made in a test, which is no file of ours')), true)
  assert.equal(isForeign('a text'), true)
  assert.equal(isForeign(Object.create(null)), true)
  assert.equal(isForeign(Object.assign(new Error('x'), { stack: undefined })), true)
  const refused = await new Promise((resolve) => connect(1, '127.0.0.1').once('error', resolve))
  assert.equal(isForeign(refused), true)
})

test('an expected failure that nobody waited for is foreign, wherever it was made', () => {
  const error = new DamselflyError('TOPIC_INVALID', 'a/#')
  assert.equal(isForeign(error), true)
})

test('a mistake in our own code is our own', () => {
  const error = new TypeError('x')
  const own = new URL('../../../dist/rules/lane-queue.js', import.meta.url).href
  error.stack = `TypeError: x\n    at push (${own}:10:5)\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)`
  assert.equal(isForeign(error), false)
})
