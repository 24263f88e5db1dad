import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startDaemon } from '../support/daemon.js'
import { LiveCommand } from '../support/live-command.js'
import { until } from '../support/until.js'

test('trace answers why nothing happened: the field that is missing, the action that failed, the topic that nobody hears', async (context) => {
  const daemon = await startDaemon(context, {
    yaml: `
pins: { lamp: { gpio: 17, out: true } }
rules:
  - { name: lamp, on: home/lamp/set, when: payload.msg == "ON", do: { gpio: lamp, set: on } }
  - { name: bell, on: home/bell, do: [{ exec: [/no/such/program] }, { exec: [sh, -c, "echo it burns >&2; exit 3"] }, { gpio: lamp, set: on }] }
  - { name: slow, on: home/slow, do: { exec: [sleep, "30"], timeout: 200ms } }
  - { name: calm, on: home/calm, throttle: 1h, do: { log: calm } }
`,
  })
  const trace = new LiveCommand(context, daemon.folder, ['trace', 'home/#'])
  await trace.says(/tracing home\/# at test/)
  const client = await daemon.connect({ clientId: 'esp32' })
  await client.publishAsync('home/lamp/set', '{"mgs":"ON","n":1}')
  await until('why it did not fire', () =>
    /✖ lamp {2}no: payload has no field "msg"; it has mgs, n\n/.test(trace.stdout),
  )
  await client.publishAsync('home/bell', 'ring')
  await until('why the steps failed', () => /step 3 gpio {2}done in/.test(trace.stdout))
  assert.match(trace.stdout, /step 1 exec {2}failed after .*: .*\/no\/such\/program/)
  assert.match(trace.stdout, /step 2 exec {2}failed after .*: .*3.*it burns/)
  await client.publishAsync('home/slow', '')
  await until('the time limit', () =>
    /step 1 exec {2}failed after .*took longer than 200ms/.test(trace.stdout),
  )
  await client.publishAsync('home/calm', '1')
  await client.publishAsync('home/calm', '2')
  await until('the throttle', () => /✖ calm {2}throttled/.test(trace.stdout))
  await client.publishAsync('home/lamp/Set', 'ON')
  await until('the near miss', () =>
    trace.stdout.includes('no rule listens to home/lamp/Set; nearest: home/lamp/set'),
  )
  assert.match(trace.stdout, /home\/lamp\/set {2}\{"mgs":"ON","n":1\} {2}qos 0, from esp32/)
})
