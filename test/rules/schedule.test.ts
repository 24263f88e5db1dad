import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cron } from 'croner'
import { isDue } from '#src/rules/schedule.js'

const half = new Cron('30 7 * * *', { paused: true })
const at = (time: string) => isDue(half, new Date(`2026-03-02T${time}`).getTime())

test('a moment is due when it has come, and a minute after', () => {
  assert.equal(at('07:29:59.999'), false)
  assert.equal(at('07:30:00.000'), true)
  assert.equal(at('07:30:00.015'), true)
  assert.equal(at('07:30:59.999'), true)
})

test('one that the clock has jumped over is not made up for', () => {
  assert.equal(at('07:31:00.000'), false)
  assert.equal(at('14:00:00.000'), false)
})
