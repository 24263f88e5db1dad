import assert from 'node:assert/strict'
import { test } from 'node:test'
import { problemsOf, settingsOf } from '../support/config-world.js'

const yaml = ''

for (const [value, intervalMs] of [
  ['0', 0],
  ['1', 1_000],
  ['86400', 86_400_000],
] as const)
  test(`SYS_INTERVAL=${value} is ${intervalMs} ms`, async () => {
    const { settings } = await settingsOf({ yaml, env: `SYS_INTERVAL=${value}` })
    assert.equal(settings.systemIntervalMs, intervalMs)
  })

for (const [env, address] of [
  ['', '127.0.0.1'],
  ['HTTP_BIND=loopback', '127.0.0.1'],
  ['HTTP_BIND=all', '::'],
  ['HTTP_BIND=192.168.1.5', '192.168.1.5'],
  ['HTTP_BIND=fe80::1', 'fe80::1'],
] as const)
  test(`HTTP_PORT with ${env || 'nothing'} listens on ${address}`, async () => {
    const { settings, warnings } = await settingsOf({ yaml, env: `HTTP_PORT=9883\n${env}` })
    assert.deepEqual([settings.http, warnings], [{ address, port: 9_883 }, []])
  })

for (const env of [
  'SYS_INTERVAL=10s',
  'SYS_INTERVAL=86401',
  'SYS_INTERVAL=-1',
  'HTTP_PORT=0',
  'HTTP_PORT=9883\nHTTP_BIND=lan1',
])
  test(`${env.replace('\n', ' ')} is a mistake`, async () => {
    const [problem, ...more] = await problemsOf({ yaml, env })
    assert.deepEqual(more, [])
    assert.match(problem?.message ?? '', /^(SYS_INTERVAL|HTTP_PORT|HTTP_BIND) /)
    assert.ok(problem?.expected)
  })

test('an address without a port does nothing, and that is told', async () => {
  const { settings, warnings } = await settingsOf({ yaml, env: 'HTTP_BIND=all' })
  assert.equal(settings.http, undefined)
  assert.match(warnings[0]?.message ?? '', /HTTP_BIND does nothing without HTTP_PORT/)
})
