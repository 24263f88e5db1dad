import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { heardAll, hearer } from '../support/bridge.js'
import { startDaemon } from '../support/daemon.js'
import { startMosquitto } from '../support/mosquitto.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'

test('a bridge in the configuration connects, rules hear what comes over it, and a reload moves it', {
  skip: missing('mosquitto', 'mosquitto_passwd'),
}, async (t) => {
  const folder = await tempFolder(t)
  execFileSync('mosquitto_passwd', ['-b', '-c', join(folder, 'passwords'), 'house', 'hunter2'])
  const passwords = readFileSync(join(folder, 'passwords'), 'utf8')
  const mosquitto = await startMosquitto(t, {
    config: 'allow_anonymous false\npassword_file passwords',
    files: { passwords },
  })
  const yaml = (prefix: string): string => `
bridges:
  far:
    address: mqtt://127.0.0.1:${mosquitto.port}
    username: house
    password_file: far.password
    retry_max: 1s
    topics:
      - { topic: "#", direction: both, local_prefix: far/, remote_prefix: ${prefix} }
rules:
  - { name: echo, on: far/ask, when: 'client == "$bridge/far"', do: { publish: far/answer, text: "heard \${payload}", qos: 1 } }
`
  const files = { 'config/far.password': 'wrong\n' }
  const daemon = await startDaemon(t, { yaml: yaml('one/'), files })
  const refused = await daemon.logged('bridge refused: trying again now and then')
  assert.equal(refused['reason'], 'not authorized')
  await daemon.write('config/far.password', 'hunter2\n')
  await daemon.logged('bridge connected')
  const login = { username: 'house', password: 'hunter2' }
  const far = await hearer(t, mosquitto.port, '+/answer', login)
  await far.client.publishAsync('one/ask', 'a', { qos: 1 })
  await heardAll(far.heard, 1)
  assert.deepEqual(far.heard, ['one/answer heard a'])

  await daemon.write('damselfly.yaml', yaml('two/').replace('retry_max', 'retry_mx'))
  await daemon.logged('not reloaded: the last good configuration stays')
  await far.client.publishAsync('one/ask', 'b', { qos: 1 })
  await heardAll(far.heard, 2)

  await daemon.write('damselfly.yaml', yaml('two/'))
  await daemon.logged('bridge connected', 2)
  await far.client.publishAsync('two/ask', 'c', { qos: 1 })
  await heardAll(far.heard, 3)
  assert.deepEqual(far.heard.slice(1), ['one/answer heard b', 'two/answer heard c'])
  assert.doesNotMatch(JSON.stringify(daemon.log), /hunter2|wrong\\n/)
  assert.equal(await daemon.stop(), 0)
})
