import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { resolveBind } from '#src/system/bind.js'
import { defaultInterface } from '#src/system/default-interface.js'
import { Lan } from '#src/system/lan.js'
import { recordingLog } from '../support/system-log.ts'

test('the host name is known before the start, and the same as after it', async () => {
  await using lan = new Lan({ log: recordingLog(), firstAnswerMs: 0 })
  assert.deepEqual({ ...lan.identity }, { host: hostname(), ip: '' })
  await lan.start()
  await lan.start()
  assert.equal(lan.identity.host, hostname())
  assert.ok(resolveBind([{ kind: 'loopback' }], lan.state).addresses.includes('127.0.0.1'))
})

test('a first answer that takes too long is done without', async () => {
  assert.equal(await defaultInterface(1), undefined)
  const log = recordingLog()
  await using slow = new Lan({ log, firstAnswerMs: 1 })
  await using quick = new Lan({ log, firstAnswerMs: 0 })
  await slow.start()
  await quick.start()
  assert.equal(slow.identity.ip, quick.identity.ip)
})

test('the end comes at once, whatever the interval', async () => {
  const lan = new Lan({ log: recordingLog(), intervalMs: 3_600_000, firstAnswerMs: 0 })
  await lan.start()
  await lan[Symbol.asyncDispose]()
})
