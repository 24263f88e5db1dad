import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { limitKeys } from '#src/config/limit-keys.js'
import type { Settings } from '#src/config/settings.js'
import { limitDefaults } from '#src/core/limits.js'
import { withoutRestart } from '#src/daemon/restart-keys.js'
import { brief, problemsOf, settingsOf } from '../support/config-world.js'
import { root } from '../support/daemon.js'

const yaml = ''
const never = 0xffff_ffff

/** Each key at both ends of its range, and in every form. */
const accepted: readonly (readonly [env: string, limits: Settings['limits']])[] = [
  ['MAX_CONNECTIONS=1', { connectionsMax: 1 }],
  ['MAX_CONNECTIONS=100000', { connectionsMax: 100_000 }],
  ['MAX_PACKET_SIZE=1024', { packetBytesMax: 1_024 }],
  ['MAX_PACKET_SIZE=10485760', { packetBytesMax: 10_485_760 }],
  ['MAX_PACKET_SIZE=10MB', { packetBytesMax: 10_000_000 }],
  ['MAX_PACKET_SIZE=10MiB', { packetBytesMax: 10_485_760 }],
  ['MAX_PACKET_SIZE=512KB', { packetBytesMax: 512_000 }],
  ['MAX_PACKET_SIZE="1.5 mib"', { packetBytesMax: 1_572_864 }],
  ['MAX_PACKET_SIZE=256MiB', { packetBytesMax: 268_435_456 }],
  ['MAX_INFLIGHT_MESSAGES=1', { inflightMessagesMax: 1 }],
  ['MAX_INFLIGHT_MESSAGES=65535', { inflightMessagesMax: 65_535 }],
  ['MAX_INFLIGHT_MESSAGES=0', { inflightMessagesMax: 65_535 }],
  ['MAX_QUEUED_MESSAGES=1', { sessionQueueMessagesMax: 1 }],
  ['MAX_QUEUED_MESSAGES=10000000', { sessionQueueMessagesMax: 10_000_000 }],
  ['MAX_QUEUED_BYTES=1KiB', { sessionQueueBytesMax: 1_024 }],
  ['MAX_QUEUED_BYTES=16GiB', { sessionQueueBytesMax: 17_179_869_184 }],
  ['MAX_KEEPALIVE=10', { keepAliveSecondsMax: 10 }],
  ['MAX_KEEPALIVE=65535', { keepAliveSecondsMax: 65_535 }],
  ['MAX_TOPIC_LEVELS=1', { topicLevelsMax: 1 }],
  ['MAX_TOPIC_LEVELS=100', { topicLevelsMax: 100 }],
  ['PERSISTENT_CLIENT_EXPIRATION=never', { sessionExpirySecondsMax: never }],
  ['PERSISTENT_CLIENT_EXPIRATION=Never', { sessionExpirySecondsMax: never }],
  ['PERSISTENT_CLIENT_EXPIRATION=1s', { sessionExpirySecondsMax: 1 }],
  ['PERSISTENT_CLIENT_EXPIRATION=1h', { sessionExpirySecondsMax: 3_600 }],
  ['PERSISTENT_CLIENT_EXPIRATION=1h30m', { sessionExpirySecondsMax: 5_400 }],
  ['PERSISTENT_CLIENT_EXPIRATION=14d', { sessionExpirySecondsMax: 1_209_600 }],
  ['PERSISTENT_CLIENT_EXPIRATION=1w', { sessionExpirySecondsMax: 604_800 }],
  ['PERSISTENT_CLIENT_EXPIRATION=1y', { sessionExpirySecondsMax: 31_536_000 }],
  ['PERSISTENT_CLIENT_EXPIRATION=100y', { sessionExpirySecondsMax: 3_153_600_000 }],
  ['MAX_RETAINED_MESSAGES=100', { retainedMessagesMax: 100 }],
  ['MAX_RETAINED_MESSAGES=10000000', { retainedMessagesMax: 10_000_000 }],
  ['MAX_RETAINED_BYTES=64KiB', { retainedBytesMax: 65_536 }],
  ['MAX_RETAINED_BYTES=16GiB', { retainedBytesMax: 17_179_869_184 }],
  ['CONNECT_TIMEOUT=1s', { connectTimeoutMs: 1_000 }],
  ['CONNECT_TIMEOUT=1500ms', { connectTimeoutMs: 1_500 }],
  ['CONNECT_TIMEOUT=5m', { connectTimeoutMs: 300_000 }],
  ['MAX_OUTPUT_BYTES=64KiB', { outputBytesMax: 65_536 }],
  ['MAX_OUTPUT_BYTES=1GiB', { outputBytesMax: 1_073_741_824 }],
  ['MAX_MESSAGE_RATE=0', { messageRateMax: 0 }],
  ['MAX_MESSAGE_RATE=1', { messageRateMax: 1 }],
  ['MAX_MESSAGE_RATE=1000000', { messageRateMax: 1_000_000 }],
  ['MEMORY_LIMIT=4MiB', { memoryBytesMax: 4_194_304 }],
  ['MEMORY_LIMIT=16GiB', { memoryBytesMax: 17_179_869_184 }],
]
for (const [env, limits] of accepted)
  test(`${env} is ${Object.values(limits)[0]}`, async () => {
    const { settings, warnings } = await settingsOf({ yaml, env })
    assert.deepEqual(settings.limits, limits)
    assert.deepEqual(warnings, [])
  })

const size = 'expected a size from 1KiB to 256MiB: bytes \\(10485760\\), 10MB .* or 10MiB '
const refused: readonly (readonly [env: string, problem: RegExp])[] = [
  ['MAX_CONNECTIONS=0', /cannot be without a bound \| found 0 \| .* from 1 to 100000 \| try 100000$/],
  ['MAX_CONNECTIONS=-1', /^1:17 MAX_CONNECTIONS cannot be without a bound \| found -1 .* try 100000$/],
  ['MAX_CONNECTIONS=unlimited', /cannot be without a bound .* try 100000$/],
  ['MAX_CONNECTIONS=100001', /MAX_CONNECTIONS is too large \| found 100001 .* try 100000$/],
  ['MAX_CONNECTIONS=10,240', /is not a whole number \| found 10,240 .* try 10240$/],
  ['MAX_CONNECTIONS=1_000', /is not a whole number .* try 1000$/],
  ['MAX_CONNECTIONS=10k', /is not a whole number .* try 10000$/],
  ['MAX_CONNECTIONS=1000k', /is not a whole number .* from 1 to 100000$/],
  ['MAX_CONNECTIONS=2.5', /is not a whole number .* from 1 to 100000$/],
  ['MAX_CONNECTIONS=-5', /is not a whole number .* from 1 to 100000$/],
  ['MAX_CONNECTIONS=1e3', /is not a whole number .* from 1 to 100000$/],
  ['MAX_CONNECTIONS=', /MAX_CONNECTIONS is empty/],
  ['MAX_PACKET_SIZE=1023', new RegExp(`^1:17 MAX_PACKET_SIZE is too small .* ${size}.* try 1KiB$`)],
  ['MAX_PACKET_SIZE=268435457', /too large .* try 256MiB$/],
  ['MAX_PACKET_SIZE=10M', new RegExp(`MAX_PACKET_SIZE is not a size \\| found 10M \\| ${size}.* try 10MiB$`)],
  ['MAX_PACKET_SIZE=512k', /is not a size .* try 512KiB$/],
  ['MAX_PACKET_SIZE=10Mi', /is not a size .* try 10MiB$/],
  ['MAX_PACKET_SIZE=10TB', /is not a size/],
  ['MAX_PACKET_SIZE=much', /is not a size/],
  ['MAX_PACKET_SIZE=0', /cannot be without a bound .* try 256MiB$/],
  ['MAX_INFLIGHT_MESSAGES=65536', /too large .* from 1 to 65535, or 0 for no bound \| try 65535$/],
  ['MAX_INFLIGHT_MESSAGES=none', /MAX_INFLIGHT_MESSAGES without a bound is written as 0 .* try 0$/],
  ['MAX_MESSAGE_RATE=-1', /MAX_MESSAGE_RATE without a bound is written as 0 \| found -1 .* try 0$/],
  ['MAX_QUEUED_MESSAGES=0', /cannot be without a bound .* try 10000000$/],
  ['MAX_QUEUED_MESSAGES=10000001', /too large/],
  ['MAX_QUEUED_BYTES=1000', /too small .* try 1KiB$/],
  ['MAX_QUEUED_BYTES=17GiB', /too large .* try 16GiB$/],
  ['MAX_KEEPALIVE=9', /too small .* from 10 to 65535 \| try 10$/],
  ['MAX_KEEPALIVE=65536', /too large/],
  ['MAX_KEEPALIVE=10m', /is not a whole number \| found 10m \| .* of seconds from 10 to 65535 \| try 600$/],
  ['MAX_KEEPALIVE=1500ms', /of seconds from 10 to 65535$/],
  ['MAX_KEEPALIVE=60s', /is not a whole number .* try 60$/],
  ['MAX_TOPIC_LEVELS=0', /cannot be without a bound .* try 100$/],
  ['MAX_TOPIC_LEVELS=101', /too large .* try 100$/],
  ['PERSISTENT_CLIENT_EXPIRATION=0', /is not a time .* try never$/],
  ['PERSISTENT_CLIENT_EXPIRATION=14', /is not a time \| found 14 \| expected never, or .* \| try 14d$/],
  ['PERSISTENT_CLIENT_EXPIRATION=0s', /too small .* try 1s$/],
  ['PERSISTENT_CLIENT_EXPIRATION=101y', /too large .* try 100y$/],
  ['PERSISTENT_CLIENT_EXPIRATION="2 months"', /is not a time/],
  ['MAX_RETAINED_MESSAGES=99', /too small .* try 100$/],
  ['MAX_RETAINED_MESSAGES=10000001', /too large/],
  ['MAX_RETAINED_BYTES=65535', /too small .* try 64KiB$/],
  ['MAX_RETAINED_BYTES=17179869185', /too large .* try 16GiB$/],
  ['CONNECT_TIMEOUT=999ms', /too small .* a duration from 1s to 5m, .* try 1s$/],
  ['CONNECT_TIMEOUT=301s', /too large .* try 5m$/],
  ['CONNECT_TIMEOUT=10', /is not a duration .* try 10s$/],
  ['CONNECT_TIMEOUT=0', /is not a duration .* such as 10s$/],
  ['MAX_OUTPUT_BYTES=65535', /too small .* try 64KiB$/],
  ['MAX_OUTPUT_BYTES=1073741825', /too large .* try 1GiB$/],
  ['MAX_MESSAGE_RATE=1000001', /too large/],
  ['MAX_MESSAGE_RATE=100/s', /is not a whole number .* try 100$/],
  ['MEMORY_LIMIT=4194303', /too small .* try 4MiB$/],
  ['MEMORY_LIMIT=17179869185', /too large .* try 16GiB$/],
  ['MEMORY_LIMIT=512Mi', /is not a size .* try 512MiB$/],
  ['DURABILITY=disk', /^1:12 DURABILITY is not one of its values .* expected one of power, crash, memory/],
  ['DURABILITY=pwer', /try power$/],
]
for (const [env, problem] of refused)
  test(`${env} is refused, with its place and what was expected`, async () => {
    const problems = await problemsOf({ yaml, env })
    assert.equal(problems.length, 1)
    assert.match(brief(problems[0] as (typeof problems)[0]), problem)
  })

test('2m is two minutes, with a warning that mosquitto means two months', async () => {
  for (const [text, minutes, remedy] of [
    ['2m', 2, '60d for months, 120s for minutes'],
    ['1 M', 1, '30d for months, 60s for minutes'],
  ] as const) {
    const { settings, warnings } = await settingsOf({ yaml, env: `PERSISTENT_CLIENT_EXPIRATION=${text}` })
    assert.equal(settings.limits.sessionExpirySecondsMax, minutes * 60)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0]?.message ?? '', new RegExp(`is ${minutes} minutes here; .* ${minutes} months`))
    assert.equal(warnings[0]?.suggestion, remedy)
  }
})

test('ALLOW_ANONYMOUS=false without a password gets a warning that nobody may connect', async () => {
  const told = async (env: string) => (await settingsOf({ yaml, env })).warnings.map(({ message }) => message)
  assert.match((await told('ALLOW_ANONYMOUS=false')).join(), /^nobody may connect/)
  for (const env of [
    'ALLOW_ANONYMOUS=false\nMQTT_USERNAME=house\nMQTT_PASSWORD=key-of-the-house',
    'ALLOW_ANONYMOUS=local',
    'ALLOW_ANONYMOUS=true',
  ])
    assert.deepEqual(await told(env), [])
})

test('names of mosquitto get a warning that says what to write instead, in capitals or not', async () => {
  const env = 'PERSISTENCE=true\nmessage_size_limit=1000\nACL_FILE=/etc/acl\nPASSWORD_FILE=x\nLISTENER=1883'
  const { warnings } = await settingsOf({ yaml, env })
  assert.deepEqual(
    warnings.map(({ place, message }) => `${place.line} ${message}`),
    ['PERSISTENCE', 'message_size_limit', 'ACL_FILE', 'PASSWORD_FILE', 'LISTENER'].map(
      (name, index) => `${index + 1} ${name} means nothing here and is ignored`,
    ),
  )
  assert.equal(warnings[1]?.suggestion, 'MAX_PACKET_SIZE')
  for (const { suggestion } of warnings) assert.ok(suggestion !== undefined)
  assert.deepEqual((await settingsOf({ yaml, env: 'MOSQUITTO=1\nLISTENERS_OF_RADIO=2' })).warnings, [])
})

test('a misspelled name gets a warning with the one that is meant, with its prefix or without', async () => {
  for (const [wrong, meant] of [
    ['MQTT_PASWORD', 'MQTT_PASSWORD'],
    ['MAX_QEUED', 'MAX_QUEUED_MESSAGES'],
    ['MQTT_PORT', 'PORT'],
  ]) {
    const { warnings } = await settingsOf({ yaml, env: `${wrong}=secret-of-the-house` })
    assert.deepEqual([wrong, warnings[0]?.suggestion], [wrong, meant])
    assert.doesNotMatch(JSON.stringify(warnings), /secret-of-the-house/)
  }
  assert.deepEqual((await settingsOf({ yaml, env: 'MQTT_HOST=a\nMAX_SPEED=1\nHOST=b' })).warnings, [])
})

test('every mode of DURABILITY is read', async () => {
  for (const durability of ['power', 'crash', 'memory'] as const) {
    const { settings } = await settingsOf({ yaml, env: `DURABILITY=${durability.toUpperCase()}` })
    assert.equal(settings.durability, durability)
  }
})

test('the values that .env.example shows are the defaults, of every bound that has a key', async () => {
  const example = readFileSync(join(root, '.env.example'), 'utf8')
  const lines = limitKeys.map(({ key }) => new RegExp(`^#(${key}=.*)$`, 'm').exec(example)?.[1])
  const { settings } = await settingsOf({ yaml, env: lines.join('\n') })
  const defaults = limitKeys.map(({ limit }) => [limit, limitDefaults[limit]])
  assert.deepEqual(settings.limits, Object.fromEntries(defaults))
})

test('docs/configuration.md shows the defaults of the bounds as .env.example does', () => {
  const page = readFileSync(join(root, 'docs/configuration.md'), 'utf8')
  const example = readFileSync(join(root, '.env.example'), 'utf8')
  for (const { key } of limitKeys) {
    const shown = new RegExp(`^\\| \`${key}\` \\| \`(.*?)\` \\|`, 'm').exec(page)?.[1]
    assert.equal(shown, new RegExp(`^#${key}=(.*)$`, 'm').exec(example)?.[1], key)
  }
})

test('where the broker is elsewhere, keys of a broker here get a warning, and those of both do not', async () => {
  const env = 'BROKER_URL=mqtt://pi\nMAX_CONNECTIONS=5\nMAX_PACKET_SIZE=1MiB\nDURABILITY=crash'
  const { warnings } = await settingsOf({ yaml, env })
  assert.deepEqual(
    warnings.map(({ place, message }) => `${place.line} ${message.split(' ')[0]}`),
    ['2 MAX_CONNECTIONS', '4 DURABILITY'],
  )
})

test('a reload takes every bound over; DURABILITY waits for a restart', async () => {
  const { settings: now } = await settingsOf({ yaml, env: 'MAX_CONNECTIONS=5\nDURABILITY=crash' })
  for (const [env, limits] of accepted) {
    const { settings: next } = await settingsOf({ yaml, env: `${env}\nDURABILITY=memory` })
    const reloaded = withoutRestart(now, { ...next, dataDir: now.dataDir, configDir: now.configDir })
    assert.deepEqual(reloaded.settings.limits, limits)
    assert.equal(reloaded.settings.durability, 'crash')
    assert.ok(reloaded.waiting.includes('DURABILITY'))
  }
})
