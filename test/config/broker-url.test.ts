import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatProblem } from '#src/core/problems.js'
import { brief, printed, problemsOf, settingsOf } from '../support/config-world.js'

const yaml = ''

const good: readonly [url: string, told: string, host: string, user?: string][] = [
  ['mqtt://10.77.0.1:1884', 'mqtt://10.77.0.1:1884', '10.77.0.1'],
  ['mqtt://pi.local', 'mqtt://pi.local:1883', 'pi.local'],
  ['MQTTS://pi.local/', 'mqtts://pi.local:8883', 'pi.local'],
  ['mqtt://[fe80::1]:1883', 'mqtt://[fe80::1]:1883', 'fe80::1'],
  ['mqtt://house:k%40y@pi', 'mqtt://pi:1883', 'pi', 'house k@y'],
  ['mqtt://house:50%:/@y@pi:9', 'mqtt://pi:9', 'pi', 'house 50%:/@y'],
  ['mqtt://token@pi', 'mqtt://pi:1883', 'pi', 'token undefined'],
]

for (const [url, told, host, user] of good) {
  test(`BROKER_URL=${url} is understood`, async () => {
    const { settings, warnings } = await settingsOf({ yaml, env: `BROKER_URL=${url}\n` })
    const { remote } = settings
    const credentials = remote?.credentials
    assert.deepEqual([remote?.url, remote?.host, remote?.isSecure], [told, host, told.startsWith('mqtts')])
    const found = credentials && `${credentials.username} ${credentials.password?.reveal()}`
    assert.equal(found, user)
    assert.deepEqual(warnings, [])
  })
}

test('without BROKER_URL there is no broker elsewhere', async () => {
  assert.equal((await settingsOf({ yaml })).settings.remote, undefined)
})

test('name and password may be the same two lines as on the other machine', async () => {
  const env = 'BROKER_URL=mqtt://pi\nMQTT_USERNAME=house\nMQTT_PASSWORD=key\n'
  const { credentials } = (await settingsOf({ yaml, env })).settings.remote ?? {}
  assert.deepEqual([credentials?.username, credentials?.password?.reveal()], ['house', 'key'])
})

const bad: readonly [url: string, problem: RegExp][] = [
  ['10.77.0.1', /^1:12 BROKER_URL does not begin with mqtt:\/\/ .* try mqtt:\/\/10\.77\.0\.1$/],
  ['mqtt:10.77.0.1', /try mqtt:\/\/10\.77\.0\.1$/],
  ['http://pi:1883', /begins with http:\/\/, which is not MQTT .* try mqtt:\/\/pi:1883$/],
  ['ssl://pi', /try mqtts:\/\/pi$/],
  ['ws://pi', /websockets, which is not spoken here/],
  ['foo://pi', /which is not MQTT/],
  ['mqtt://', /has no host/],
  ['mqtt://pi:abc', /port in BROKER_URL is not a number from 1 to 65535/],
  ['mqtt://pi:0', /port in BROKER_URL/],
  ['mqtt://pi:65536', /port in BROKER_URL/],
  ['mqtt://pi:1883/house', /something behind the host .* try mqtt:\/\/pi:1883$/],
  ['mqtt://:key@pi', /a password in it, and no name|has a password, and no name/],
  ['', /BROKER_URL is empty/],
]

for (const [url, problem] of bad) {
  test(`BROKER_URL=${url} is a mistake that says what to write`, async () => {
    const [found] = await problemsOf({ yaml, env: `BROKER_URL=${url}\n` })
    assert.match(found === undefined ? 'nothing' : brief(found), problem)
  })
}

test('no mistake shows a password', async () => {
  for (const url of [
    'house:hunter2@pi',
    'tcp://house:hunter2@pi',
    'mqtt://house:hunter2@pi/x',
    'mqtt://:hunter2@pi',
  ]) {
    for (const world of [{ env: `BROKER_URL=${url}\n` }, { environment: { BROKER_URL: url } }]) {
      const problems = await problemsOf({ yaml, ...world })
      assert.equal(problems.length, 1)
      assert.equal(printed(problems).includes('hunter2'), false)
    }
  }
})

test('what is about a broker here does nothing, and is said to', async () => {
  const env = 'BROKER_URL=mqtt://pi\nBIND=all\nPORT=1883\nALLOW_ANONYMOUS=true\n'
  const { warnings } = await settingsOf({ yaml, env })
  assert.deepEqual(
    warnings.map((warning) => formatProblem(warning).match(/: (\w+) does nothing beside BROKER_URL/)?.[1]),
    ['BIND', 'PORT', 'ALLOW_ANONYMOUS'],
  )
})
