import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { importJson, importReport } from '#src/cli/import-report.js'
import { readMosquittoConf } from '#src/moving/mosquitto-conf.js'
import type { Move } from '#src/moving/move.js'
import { translate } from '#src/moving/translate.js'
import { tempFolder } from '../support/temp-folder.js'

async function moveOf(context: TestContext, text: string): Promise<Move & { readonly folder: string }> {
  const folder = await tempFolder(context)
  await writeFile(join(folder, 'mosquitto.conf'), text)
  return { ...translate(await readMosquittoConf(join(folder, 'mosquitto.conf')), 'pi'), folder }
}

const env = ({ env }: Move): Record<string, string> => Object.fromEntries(env)
const listeners = ({ listeners }: Move): Record<string, unknown> => Object.fromEntries(listeners)
const lost = ({ outcomes }: Move): string[] =>
  outcomes.filter(({ kind }) => kind === 'lost').map(({ statement }) => statement.name)

const doors: readonly (readonly [string, string, Record<string, string>])[] = [
  [
    'without a listener this machine alone is served',
    '',
    { BIND: 'loopback', PORT: '1883', ALLOW_ANONYMOUS: 'local' },
  ],
  [
    'without a listener, and without anonymous clients',
    'allow_anonymous false\n',
    { BIND: 'loopback', PORT: '1883', ALLOW_ANONYMOUS: 'false' },
  ],
  ['a listener wants names', 'listener 1884\n', { BIND: 'all', PORT: '1884', ALLOW_ANONYMOUS: 'false' }],
  [
    'a listener lets everybody in who is told to',
    'listener 1883 192.0.2.5\nallow_anonymous true\n',
    { BIND: '192.0.2.5', PORT: '1883', ALLOW_ANONYMOUS: 'true' },
  ],
  [
    'port and bind_address are a listener too',
    'port 1885\nbind_address localhost\n',
    { BIND: 'loopback', PORT: '1885', ALLOW_ANONYMOUS: 'false' },
  ],
  [
    'an interface goes before an address',
    'listener 1883 192.0.2.5\nbind_interface wlan0\n',
    { BIND: 'wlan0', PORT: '1883', ALLOW_ANONYMOUS: 'false' },
  ],
  [
    'a listener that no line names lets everybody in, as mosquitto does',
    'max_connections 10\n',
    { BIND: 'all', PORT: '1883', ALLOW_ANONYMOUS: 'true', MAX_CONNECTIONS: '10' },
  ],
]

for (const [title, text, expected] of doors)
  test(title, async (context) => assert.deepEqual(env(await moveOf(context, text)), expected))

test('the first listener without TLS is that of BIND and PORT, the others stand in YAML', async (context) => {
  const move = await moveOf(
    context,
    `listener 8883
certfile server.crt
keyfile /etc/keys/server.key
cafile ca.crt
require_certificate true
use_identity_as_username true
tls_version tlsv1.3
listener 1883
listener 9001 127.0.0.1
protocol websockets
max_connections 7
listener 0 /run/mosquitto.sock
`,
  )
  const { folder } = move
  assert.equal(env(move)['PORT'], '1883')
  assert.deepEqual(listeners(move), {
    'mqtts-8883': {
      port: 8_883,
      bind: 'all',
      tls: {
        cert: `${folder}/server.crt`,
        key: '/etc/keys/server.key',
        client_ca: `${folder}/ca.crt`,
        client_certificates: 'required',
        user_from: 'common-name',
        min_version: '1.3',
      },
      allow_anonymous: false,
    },
    'ws-9001': {
      port: 9_001,
      bind: '127.0.0.1',
      websocket: { path: '*', origins: ['*'] },
      allow_anonymous: false,
      max_connections: 7,
    },
    unix: { unix: '/run/mosquitto.sock', mode: '0666', allow_anonymous: false },
  })
  assert.deepEqual(lost(move), [])
  assert.match(move.notes.join(), /ReadWritePaths=\/run$/)
  assert.deepEqual(
    move.doors.map(({ name, wantsCertificate }) => [name, wantsCertificate]),
    [
      ['mqtts-8883', true],
      ['main', false],
      ['ws-9001', false],
      ['unix', false],
    ],
  )
})

test('where there is no plain listener, ours is for this machine alone, on a port that is free', async (context) => {
  const move = await moveOf(context, 'listener 1883\ncertfile c\nkeyfile k\n')
  assert.deepEqual(env(move), { BIND: 'loopback', PORT: '1884', ALLOW_ANONYMOUS: 'false' })
  assert.match(move.notes.join(), /one more now, on port 1884, for this machine alone/)
})

test('users and rights of all listeners are one file each, those of one listener have its name', async (context) => {
  const all = await moveOf(context, 'listener 1883\npassword_file pw\nlistener 8883\nacl_file /etc/acl\n')
  assert.deepEqual(
    all.copies.map(({ from, to }) => [from.replace(all.folder, ''), to]),
    [
      ['/pw', 'users'],
      ['/etc/acl', 'acl'],
    ],
  )
  const each = await moveOf(
    context,
    'per_listener_settings true\nlistener 1883\npassword_file /one\nallow_anonymous true\nlistener 9001\nprotocol websockets\npassword_file /two\nacl_file /acl\n',
  )
  assert.deepEqual(
    each.copies.map(({ from, to }) => [from, to]),
    [
      ['/one', 'users'],
      ['/two', 'users-ws-9001'],
      ['/acl', 'acl-ws-9001'],
    ],
  )
  assert.deepEqual(listeners(each)['ws-9001'], {
    port: 9_001,
    bind: 'all',
    websocket: { path: '*', origins: ['*'] },
    allow_anonymous: false,
    users: 'users-ws-9001',
    acl: 'acl-ws-9001',
  })
  assert.equal(env(each)['ALLOW_ANONYMOUS'], 'true')
})

test('the plugins that read these files in mosquitto 2.1 are as good as the options', async (context) => {
  const move = await moveOf(
    context,
    `listener 1883
plugin /usr/lib/mosquitto_password_file.so
plugin_opt_password_file /etc/pw
plugin /usr/lib/mosquitto_acl_file.so
plugin_opt_acl_file /etc/acl
plugin /usr/lib/mosquitto_dynamic_security.so
plugin_opt_config_file /var/lib/dynsec.json
`,
  )
  assert.deepEqual(
    move.copies.map(({ from, to }) => [from, to]),
    [
      ['/etc/pw', 'users'],
      ['/etc/acl', 'acl'],
    ],
  )
  assert.deepEqual(lost(move), ['plugin', 'plugin_opt_config_file'])
})

test('with settings by listener, one without users knows none, and one without rights allows everything', async (context) => {
  const move = await moveOf(
    context,
    'per_listener_settings true\nlistener 1883\npassword_file /one\nacl_file /acl\nlistener 1884\nallow_anonymous true\n',
  )
  assert.deepEqual(listeners(move)['mqtt-1884'], {
    port: 1_884,
    bind: 'all',
    allow_anonymous: true,
    users: 'users-mqtt-1884',
    acl: 'acl-mqtt-1884',
  })
  assert.deepEqual(
    move.secrets.map(({ to, text }) => [to, text.reveal()]),
    [
      ['users-mqtt-1884', '# nobody is known at this listener\n'],
      ['acl-mqtt-1884', 'pattern readwrite #\n'],
    ],
  )
})

test('listeners of one port on several addresses become one, and what they say otherwise is told', async (context) => {
  const move = await moveOf(
    context,
    'listener 1883 127.0.0.1\nmax_connections 5\nlistener 1883 192.0.2.5\nmax_connections 5\nmax_qos 1\n',
  )
  assert.equal(env(move)['BIND'], '127.0.0.1,192.0.2.5')
  assert.deepEqual(lost(move), ['max_qos'])
  assert.deepEqual(listeners(move), {})
})

test('a bridge has its topics, its session and its password in a file of its own', async (context) => {
  const move = await moveOf(
    context,
    `listener 1883
connection to cloud.1
address broker.example.org:8883 [2001:db8::1]:1884
bridge_cafile /etc/ca.crt
bridge_certfile b.crt
bridge_keyfile b.key
remote_username house
remote_password my secret
topic # both 2 local/ remote/
topic "front door/#" in 1
topic "" out 0 here there
topic plain
restart_timeout 10 60
notifications_local_only true
`.replace('to cloud.1', 'cloud.1'),
  )
  assert.deepEqual(Object.fromEntries(move.bridges), {
    'cloud-1': {
      version: '3.1.1',
      address: ['mqtts://broker.example.org:8883', 'mqtts://[2001:db8::1]:1884'],
      client_id: 'pi.cloud.1',
      username: 'house',
      password_file: 'bridge-cloud-1.password',
      retry_min: '10s',
      retry_max: '60s',
      notifications: 'local',
      tls: { ca: '/etc/ca.crt', certificate: `${move.folder}/b.crt`, key: `${move.folder}/b.key` },
      topics: [
        { topic: '#', direction: 'both', qos: 2, local_prefix: 'local/', remote_prefix: 'remote/' },
        { topic: 'front door/#', direction: 'in', qos: 1 },
        { local: 'here', remote: 'there', direction: 'out', qos: 0 },
        { topic: 'plain', direction: 'out', qos: 0 },
      ],
    },
  })
  assert.deepEqual(lost(move), [])
  assert.deepEqual(
    move.secrets.map(({ to, text }) => [to, text.reveal()]),
    [['bridge-cloud-1.password', 'my secret\n']],
  )
  assert.doesNotMatch(
    JSON.stringify([move.secrets, importJson(move), importReport(move, (_, text) => text)]),
    /my secret/,
  )
})

test('a bridge that cannot be here is left out, and it is told why', async (context) => {
  const psk = await moveOf(
    context,
    'listener 1883\nconnection a\naddress h\ntopic #\nbridge_psk 12\nbridge_identity x\n',
  )
  assert.equal(psk.bridges.size, 0)
  assert.ok(lost(psk).includes('connection') && lost(psk).includes('bridge_psk'))
  const none = await moveOf(context, 'listener 1883\nconnection a\naddress h\n')
  assert.deepEqual(lost(none), ['connection', 'address'])
})

const bounds: readonly (readonly [string, string | undefined])[] = [
  ['max_queued_messages 0', 'MAX_QUEUED_MESSAGES=10000000'],
  ['max_queued_messages 500', 'MAX_QUEUED_MESSAGES=500'],
  ['max_queued_bytes 0', undefined],
  ['max_inflight_messages 0', 'MAX_INFLIGHT_MESSAGES=0'],
  ['max_keepalive 5', 'MAX_KEEPALIVE=10'],
  ['max_packet_size 100', 'MAX_PACKET_SIZE=1024'],
  ['message_size_limit 1000', 'MAX_PACKET_SIZE=9192'],
  ['message_size_limit 0', undefined],
  ['memory_limit 100000000', 'MEMORY_LIMIT=100000000'],
  ['global_max_connections -1', undefined],
  ['persistent_client_expiration 2m', 'PERSISTENT_CLIENT_EXPIRATION=60d'],
  ['persistent_client_expiration 14d', 'PERSISTENT_CLIENT_EXPIRATION=14d'],
  ['sys_interval 0', 'SYS_INTERVAL=0'],
  ['log_type error\nlog_type notice', 'LOG_LEVEL=info'],
  ['log_type all\nlog_type none', 'LOG_LEVEL=silent'],
  ['log_dest none', 'LOG_LEVEL=silent'],
  ['log_dest file /var/log/x\nlog_dest stdout', undefined],
]

for (const [text, expected] of bounds)
  test(`${text.replace('\n', ', ')} becomes ${expected ?? 'no setting'}`, async (context) => {
    const move = await moveOf(context, `listener 1883\n${text}\n`)
    const set = [...move.env].filter(([key]) => !['BIND', 'PORT', 'ALLOW_ANONYMOUS'].includes(key))
    assert.deepEqual(
      set.map((pair) => pair.join('=')),
      expected === undefined ? [] : [expected],
    )
    assert.deepEqual(lost(move), [])
  })

const mistakes: readonly string[] = [
  'max_keepalive many',
  'persistent_client_expiration 5',
  'listener 99999',
  'no_such_option 1',
  'log_type loud',
  'persistence',
]

for (const text of mistakes)
  test(`"${text}", which mosquitto refuses, is told with its line`, async (context) => {
    const move = await moveOf(context, `listener 1883\n${text}\n`)
    assert.deepEqual(
      move.outcomes.filter(({ kind }) => kind === 'lost').map(({ statement }) => statement.place.line),
      [2],
    )
  })
