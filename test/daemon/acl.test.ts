import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startDaemon } from '../support/daemon.js'
import { until } from '../support/until.js'

const yaml = `pins:
  lamp: { gpio: 17, out: true }
rules:
  - name: allowed
    on: in/allowed
    do: [{ publish: out/allowed, text: x }]
  - name: refused
    on: in/refused
    do: [{ publish: secret/refused, text: x }]
  - name: deaf
    on: secret/in
    do: [{ publish: out/deaf, text: x }]
`

const acl = `topic readwrite #
user $rules
topic read in/#
topic write out/#
`

test('rules are governed by the file acl, clients follow it at a reload, and a bad one changes nothing', async (context) => {
  const daemon = await startDaemon(context, { yaml, files: { 'config/acl': acl } })
  const [deaf] = daemon.having('subscription of our own brings nothing: it is not allowed')
  assert.deepEqual([deaf?.['identity'], deaf?.['filter']], ['$rules', 'secret/in'])
  const heard: string[] = []
  const client = await daemon.connect()
  client.on('message', (topic) => heard.push(topic))
  await client.subscribeAsync(['out/#', 'secret/#', 'damselfly/+/pins/#'])
  for (const topic of ['in/refused', 'secret/in', 'in/allowed'])
    await client.publishAsync(topic, 'x', { qos: 1 })
  await until('the allowed rule', () => heard.includes('out/allowed'))
  const failed = await daemon.logged('step failed')
  assert.match(JSON.stringify(failed), /may not publish to .*secret\/refused.*config\/acl does not allow it/)
  assert.deepEqual(
    heard.filter((topic) => !topic.startsWith('damselfly/')),
    ['secret/in', 'out/allowed'],
  )
  assert.ok(heard.includes('damselfly/test/pins/lamp'), 'pins have no section, and may do everything')

  await daemon.write('config/acl', 'topic readwrite in/#\ntopic reed out/#\n')
  await daemon.logged('not reloaded: the last good configuration stays')
  await client.publishAsync('in/allowed', 'x', { qos: 1 })
  await until('the old list holds', () => heard.filter((topic) => topic === 'out/allowed').length === 2)

  await daemon.write('config/acl', 'topic readwrite in/#\n')
  await daemon.logged('configuration reloaded')
  await client.publishAsync('in/allowed', 'x', { qos: 1 })
  await client.publishAsync('out/own', 'x', { qos: 1 })
  await daemon.logged('publish refused')
  assert.equal(heard.filter((topic) => topic === 'out/allowed').length, 2)
  assert.equal(client.connected, true)
})
