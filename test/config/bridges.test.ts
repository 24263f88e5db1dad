import assert from 'node:assert/strict'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { before, type TestContext, test } from 'node:test'
import { readSettings, type SettingsReading } from '#src/config/read-settings.js'
import { type Bridge, isSameBridge } from '#src/core/bridge.js'
import { limits } from '#src/core/limits.js'
import { ProblemsError } from '#src/core/problems.js'
import { Authority, type Identity } from '../support/certificates.js'
import { brief, catalogueOf, folderOf, printed, standInCompiler } from '../support/config-world.js'
import { missing } from '../support/tools.js'

type Files = Readonly<Record<string, string>>

/** What is read of these bridges, with the mistakes as `brief` has them, and the warnings. */
async function read(yaml: string, files: Files = {}, env = 'NAME=house\n', open: readonly string[] = []) {
  await using folder = await folderOf({
    'config/damselfly.yaml': `bridges:\n${yaml}`,
    '.env': env,
    ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`config/${name}`, text])),
  })
  for (const name of open) await chmod(join(folder.path, 'config', name), 0o644)
  let reading: SettingsReading
  try {
    reading = await readSettings({
      cwd: folder.path,
      environment: {},
      compiler: standInCompiler,
      loadActions: async () => ({ catalogue: catalogueOf(), problems: [] }),
      isTerminal: false,
    })
  } catch (error) {
    if (!(error instanceof ProblemsError)) throw error
    const { problems } = error
    return { bridges: [], mistakes: problems.map(brief), warnings: [], files: [], text: printed(problems) }
  }
  const { settings, warnings } = reading
  return {
    bridges: settings.bridges,
    mistakes: [] as string[],
    warnings: warnings.map(brief),
    files: settings.files.map((file) => file.replace(`${folder.path}/`, '')),
    text: printed(warnings),
  }
}

const least = '{ address: mqtt://far.example, topics: [ a/# ] }'

const skip = missing('openssl')
let ca: Authority
let client: Identity

before(async () => {
  if (skip !== false) return
  ca = await Authority.make({} as TestContext)
  client = await ca.issue('client')
})

const plain: Bridge = {
  name: 'cloud',
  addresses: [{ url: 'mqtt://far.example:1883', host: 'far.example', port: 1_883, isSecure: false }],
  clientId: 'house-cloud',
  version: 5,
  credentials: undefined,
  tls: undefined,
  isCleanSession: false,
  isLocalCleanSession: false,
  keepAliveSeconds: 60,
  topics: [{ pattern: 'a/#', direction: 'out', qos: 1, localPrefix: '', remotePrefix: '' }],
  notifications: { topic: '$SYS/broker/connection/house-cloud/state', isLocalOnly: false },
  start: { kind: 'automatic' },
  retry: { minMs: 1_000, maxMs: 30_000 },
  packetBytesMax: undefined,
  isRoundRobin: false,
  mayUnsubscribe: true,
  mayRetain: true,
  isQos0Kept: false,
  isTold: true,
  bindAddress: undefined,
}

test('a bridge needs an address and topics; the rest has its usual values', async () => {
  const { bridges, mistakes } = await read(`  cloud: ${least}\n`)
  assert.deepEqual(mistakes, [])
  assert.deepEqual(bridges, [plain])
  assert.deepEqual((await read('')).bridges, [])
})

test('all that a bridge may have is read, passwords and certificates from files of their own', {
  skip,
}, async () => {
  const files = {
    'cloud.password': 'pass word \n',
    'ca.crt': await ca.cert,
    'own.crt': client.cert,
    'own.key': client.key,
  }
  const {
    bridges,
    mistakes,
    warnings,
    files: watched,
  } = await read(
    `  cloud:
    address: [ "mqtts://[2001:db8::1]", mqtt://10.0.0.2:1884 ]
    round_robin: true
    client_id: me
    version: 3.1.1
    username: house
    password_file: cloud.password
    tls: { ca: ca.crt, certificate: own.crt, key: own.key, alpn: mqtt, insecure_any_host: true }
    clean_session: true
    local_clean_session: false
    keep_qos0: true
    keep_alive: 30s
    retry_min: 2s
    retry_max: 5m
    start: lazy
    threshold: 5
    idle_timeout: 10s
    notifications: local
    notification_topic: bridges/cloud
    max_packet_size: 128KiB
    attempt_unsubscribe: false
    outgoing_retain: false
    try_private: false
    bind_address: 10.0.0.1
    topics:
      - { topic: sensors/#, direction: both, qos: 2, local_prefix: home/, remote_prefix: site1/ }
      - { local: a/b, remote: c/d, direction: in, qos: 0 }
`,
    files,
  )
  assert.deepEqual(mistakes, [])
  const [bridge] = bridges
  assert.ok(bridge)
  const { credentials, tls, ...rest } = bridge
  assert.deepEqual([credentials?.username, credentials?.password?.reveal()], ['house', 'pass word '])
  assert.deepEqual(
    [
      tls?.authorities,
      tls?.identity?.certificate,
      tls?.identity?.key.reveal(),
      tls?.protocol,
      tls?.isHostChecked,
    ],
    [await ca.cert, client.cert, client.key, 'mqtt', false],
  )
  assert.deepEqual(rest, {
    name: 'cloud',
    addresses: [
      { url: 'mqtts://[2001:db8::1]:8883', host: '2001:db8::1', port: 8_883, isSecure: true },
      { url: 'mqtt://10.0.0.2:1884', host: '10.0.0.2', port: 1_884, isSecure: false },
    ],
    clientId: 'me',
    version: 4,
    isCleanSession: true,
    isLocalCleanSession: false,
    keepAliveSeconds: 30,
    topics: [
      { pattern: 'sensors/#', direction: 'both', qos: 2, localPrefix: 'home/', remotePrefix: 'site1/' },
      { pattern: '', direction: 'in', qos: 0, localPrefix: 'a/b', remotePrefix: 'c/d' },
    ],
    notifications: { topic: 'bridges/cloud', isLocalOnly: true },
    start: { kind: 'lazy', threshold: 5, idleMs: 10_000 },
    retry: { minMs: 2_000, maxMs: 300_000 },
    packetBytesMax: 131_072,
    isRoundRobin: true,
    mayUnsubscribe: false,
    mayRetain: false,
    isQos0Kept: true,
    isTold: false,
    bindAddress: '10.0.0.1',
  })
  assert.deepEqual(warnings, [
    '9:72 "tls" of the bridge "cloud" does not look for which host a certificate is: others may take the broker’s place',
  ])
  assert.deepEqual(watched, [
    '.env',
    'config/damselfly.yaml',
    'config/users',
    'config/acl',
    'config/cloud.password',
    'config/ca.crt',
    'config/own.crt',
    'config/own.key',
  ])
})

const example = '{ address: mqtts://broker.example.org, topics: [ sensors/# ] }'
const addressExpected = 'mqtt://HOST or mqtts://HOST, with :PORT if it is not 1883 or 8883'
const topicExpected = 'a filter such as sensors/#, or { topic: sensors/#, direction: both, qos: 1 }'
const namesExpected = 'topic: a filter; or local: and remote:, of which each is one topic'
const withTopic = (topic: string): string => `{ address: mqtt://b, topics: [ ${topic} ] }`
const withMore = (more: string): string => `{ address: mqtt://b, topics: [ a ], ${more} }`

const mistakes: readonly [bridge: string, expected: string][] = [
  ['mqtt://b', `2:6 the bridge "x" is not a map | found mqtt://b | expected ${example}`],
  ['{ topics: [ a ] }', `2:3 the bridge "x" has no "address" | expected ${example}`],
  ['{ address: mqtt://b }', `2:3 the bridge "x" has no "topics" | expected ${example}`],
  [
    '{ address: far.example, topics: [ a ] }',
    `2:17 "address" of the bridge "x" does not begin with mqtt:// | found far.example | expected ${addressExpected} | try mqtt://far.example`,
  ],
  [
    '{ address: "ssl://b:1", topics: [ a ] }',
    `2:17 "address" of the bridge "x" begins with ssl://, which is not MQTT | found "ssl://b:1" | expected ${addressExpected} | try mqtts://b:1`,
  ],
  [
    '{ address: "wss://b", topics: [ a ] }',
    `2:17 "address" of the bridge "x" asks for MQTT over websockets, which bridges do not speak | found "wss://b" | expected ${addressExpected}`,
  ],
  [
    '{ address: "mqtt://b:99999", topics: [ a ] }',
    `2:17 "address" of the bridge "x" has a port that is not a number from 1 to 65535 | found "mqtt://b:99999" | expected ${addressExpected}`,
  ],
  [
    '{ address: mqtt://b/path, topics: [ a ] }',
    `2:17 "address" of the bridge "x" has something behind the host | found mqtt://b/path | expected ${addressExpected}`,
  ],
  [
    '{ address: [], topics: [ a ] }',
    '2:17 "address" of the bridge "x" is empty | found [] | expected mqtt://HOST, or a list of them',
  ],
  [
    '{ address: mqtt://b, topics: [] }',
    `2:35 "topics" of the bridge "x" is empty | found [] | expected at least one, ${topicExpected}`,
  ],
  [
    withTopic('{ topic: a/#, direction: inn }'),
    '2:62 "direction" of a topic of the bridge "x" is not one of its values | found inn | expected out, in or both | try in',
  ],
  [
    withTopic('{ topic: a, qos: 3 }'),
    '2:54 "qos" of a topic of the bridge "x" is not right | found 3 | expected 0, 1 or 2',
  ],
  [
    withTopic('{ direction: in }'),
    `2:37 a topic of the bridge "x" says not which | found { direction: in } | expected ${namesExpected}`,
  ],
  [
    withTopic('{ topic: a, local: b, remote: c }'),
    `2:37 a topic of the bridge "x" says too much | found { topic: a, local: b, remote: c } | expected ${namesExpected}`,
  ],
  [
    withTopic('{ local: b }'),
    '2:37 a topic of the bridge "x" has no "remote" | found { local: b } | expected local: and remote:, as the topic is called here and there',
  ],
  [
    withTopic('{ local: b, remote: c, local_prefix: d/ }'),
    '2:60 "local_prefix" goes with topic:, not with local: and remote:',
  ],
  [
    withTopic('{ topic: "#", remote_prefix: site }'),
    '2:37 a topic of the bridge "x" is "site#" there, which is no filter: # must be the last level, alone: a/b/# | expected a / at the end of the prefix',
  ],
  [
    withTopic('{ topic: a, local_prefix: "+/" }'),
    '2:63 "local_prefix" of a topic of the bridge "x" has a wildcard in it | found "+/" | expected the beginning of topics, such as home/, without + and #',
  ],
  [
    withTopic('"$share/g/a"'),
    '2:37 a topic of the bridge "x" is a shared subscription, which a bridge cannot be part of | found "$share/g/a"',
  ],
  [
    withTopic('{ topic: "$SYS/#", direction: in }'),
    '2:37 a topic of the bridge "x" would come in below $SYS, which is this broker’s own | found { topic: "$SYS/#", direction: in } | expected direction: out, or a local_prefix such as other/',
  ],
  [
    withMore('version: 3.1'),
    '2:51 "version" of the bridge "x" is no version that bridges speak | found 3.1 | expected 5 or 3.1.1 | try 3.1.1',
  ],
  [withMore('password_file: p'), '2:42 the bridge "x" has a password, and no username'],
  [
    withMore('username: u, password_file: nowhere'),
    '2:70 "password_file" of the bridge "x": there is no file config/nowhere | found nowhere | expected a path from config, or a whole one',
  ],
  [withMore('tls: { ca: p }'), '2:42 "tls" of the bridge "x" does nothing: no address begins with mqtts://'],
  [withMore('threshold: 5'), '2:42 "threshold" of the bridge "x" needs start: lazy'],
  [
    withMore('start: lazy, clean_session: true'),
    '2:3 the bridge "x" waits for messages that do not wait | expected start: lazy with local_clean_session: false',
  ],
  [
    withMore('retry_min: 1m, retry_max: 2s'),
    '2:68 "retry_max" of the bridge "x" is less than retry_min | found 2s',
  ],
  [
    withMore('keep_alive: 1s'),
    '2:54 "keep_alive" of the bridge "x" is too short | found 1s | expected at least 5000ms',
  ],
  [
    withMore('notifications: remote'),
    '2:57 "notifications" of the bridge "x" is not one of its values | found remote | expected true, false or local',
  ],
  [
    withMore('max_packet_size: 3'),
    '2:59 "max_packet_size" of the bridge "x" is not a size | found 3 | expected a size from 20 bytes on: 131072, 128KiB or 1MB',
  ],
]

for (const [bridge, expected] of mistakes)
  test(`of the bridge ${bridge} the mistake is told`, async () => {
    const { mistakes: told } = await read(`  x: ${bridge}\n`, { p: 'secret' })
    assert.ok(told.includes(expected), told.join('\n'))
  })

test('a misspelt key gets the nearest one', async () => {
  const { mistakes: told } = await read('  x: { adress: mqtt://b, topics: [ a ] }\n')
  assert.equal(told.length, 1)
  assert.match(told[0] ?? '', /^2:8 the bridge "x" has no key "adress" \| expected one of .* \| try address$/)
})

test('a password in the configuration is refused, and not shown', async () => {
  for (const bridge of [
    withMore('username: u, password: hunter2'),
    '{ address: "mqtt://u:hunter2@b", topics: [ a ] }',
  ]) {
    const { mistakes: told, text } = await read(`  x: ${bridge}\n`)
    assert.equal(told.length, 1)
    assert.match(told[0] ?? '', /password_file: FILE/)
    assert.doesNotMatch(text, /hunter2/)
  }
})

test('a file with a secret that everybody can read is told, and a file that is none', { skip }, async () => {
  const bridge =
    '{ address: mqtts://b, topics: [ a ], username: u, password_file: p, tls: { certificate: c, key: k } }'
  const files = { p: 'secret', c: client.cert, k: client.key }
  const { warnings } = await read(`  x: ${bridge}\n`, files, undefined, ['p', 'c', 'k'])
  assert.equal(warnings.length, 2)
  const [first = '', second = ''] = warnings
  assert.match(
    first,
    /^2:71 "password_file" .*: everybody on this machine can use config\/p \| try chmod o-rwx /,
  )
  assert.match(second, /^2:102 "key" .*: everybody on this machine can use config\/k \| try chmod o-rwx /)
  const { mistakes: told, text } = await read(`  x: ${bridge}\n`, { p: '\n', c: 'secret!', k: 'secret!' })
  assert.deepEqual(told, [
    '2:71 "password_file" of the bridge "x" is empty | found p | expected one line, the password',
    '2:94 "certificate" of "tls" of the bridge "x" has no certificate in it | found c | expected PEM, which begins with -----BEGIN CERTIFICATE----- | try openssl x509 -inform DER -in FILE -out FILE.pem, if it is a .der or a .cer',
    '2:102 "key" of "tls" of the bridge "x" has no private key in it | found k | expected a private key in PEM, without a passphrase',
  ])
  assert.doesNotMatch(text, /secret!/)
})

test('a certificate that expires is told, and a key with a passphrase or a path from ~ is refused', {
  skip,
}, async () => {
  const bridge = '{ address: mqtts://b, topics: [ a ], tls: { ca: a, certificate: c, key: k } }'
  const tell = async (days: number) => {
    const { cert, key } = await ca.issue('client', { days })
    return (await read(`  x: ${bridge}\n`, { a: await ca.cert, c: cert, k: key })).warnings.join('\n')
  }
  assert.match(
    await tell(-1),
    /^2:\d+ the certificate of "tls" of the bridge "x" has expired on \d{4}-\S+: the other broker refuses it$/,
  )
  assert.match(await tell(5), /^2:\d+ the certificate of "tls" of the bridge "x" expires on \d{4}-/)
  assert.equal(await tell(60), '')
  const files = { a: await ca.cert, c: client.cert, k: '-----BEGIN ENCRYPTED PRIVATE KEY-----\nx' }
  const locked = await read(`  x: ${bridge}\n`, files)
  assert.match(locked.mistakes.join('\n'), /^2:\d+ "key" .* has a passphrase .*openssl pkey/)
  const home = await read(`  x: ${bridge.replace('ca: a', 'ca: ~/a')}\n`, { ...files, k: client.key })
  assert.match(home.mistakes.join('\n'), /^2:\d+ "ca" .*: only a shell knows what ~ means/)
})

test('two bridges that a broker would take for one are refused, others are not', async () => {
  const { mistakes: told } = await read(`  a: { address: mqtt://b, topics: [ a ], client_id: me }
  b: { address: [ mqtt://c, mqtt://b ], topics: [ a ], client_id: me }
`)
  assert.deepEqual(told, [
    '3:3 the bridge "b" has the client id and the address of "a" | expected another client_id: else each ends the connection of the other',
  ])
  const { bridges } = await read(`  a: ${least}\n  b: ${least}\n`)
  assert.deepEqual(
    bridges.map(({ clientId }) => clientId),
    ['house-a', 'house-b'],
  )
})

test('as many bridges as there may be are read, and one more is refused', async () => {
  const many = (count: number): string =>
    Array.from({ length: count }, (_, index) => `  b${index}: ${least}\n`).join('')
  assert.equal((await read(many(limits.bridgesMax))).bridges.length, limits.bridgesMax)
  const { mistakes: told } = await read(many(limits.bridgesMax + 1))
  assert.deepEqual(told, [
    `${limits.bridgesMax + 2}:3 there are ${limits.bridgesMax + 1} bridges | expected at most ${limits.bridgesMax}`,
  ])
})

test('beside a broker elsewhere bridges do nothing, which is told', async () => {
  const { bridges, warnings } = await read(`  cloud: ${least}\n`, {}, 'BROKER_URL=mqtt://10.0.0.1\n')
  assert.deepEqual(bridges, [])
  assert.deepEqual(warnings, [
    '1:1 bridges do nothing beside BROKER_URL: the broker is elsewhere | try write them into the configuration of that broker',
  ])
})

test('a bridge is the same while nothing of it changes, a password included', async () => {
  const one = await read(`  x: ${withMore('username: u, password_file: p')}\n`, { p: 'one' })
  const same = await read(`  x: ${withMore('username: u, password_file: p')}\n`, { p: 'one\n' })
  const other = await read(`  x: ${withMore('username: u, password_file: p')}\n`, { p: 'two' })
  const [a, b, c] = [one, same, other].map(({ bridges }) => bridges[0] as Bridge) as [Bridge, Bridge, Bridge]
  assert.deepEqual([isSameBridge(a, b), isSameBridge(a, c)], [true, false])
})
