import assert from 'node:assert/strict'
import { test } from 'node:test'
import { statusLine } from '#src/daemon/words.js'

type Words = Parameters<typeof statusLine>
const settings = { rules: [{}, {}], pins: [{}] } as unknown as Words[0]
const door = { listeners: [], pending: [] } as unknown as Words[1]
const at = '2026-01-02T03:04:05.678Z'

test('the status line has what runs, and nothing of a reload that went well', () => {
  assert.equal(statusLine(settings, door), '2 rules, 1 pins, listening on no address')
  assert.equal(statusLine(settings, door, { at, isOk: true }), '2 rules, 1 pins, listening on no address')
})

test('the status line says why the last reload changed nothing', () => {
  const reason = 'damselfly.yaml:7:14: there is no pin "lmap"'
  assert.equal(
    statusLine(settings, door, { at, isOk: false, reason }),
    `2 rules, 1 pins, listening on no address; not reloaded: ${reason}`,
  )
})
