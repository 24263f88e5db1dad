import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, chown, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { parse } from 'yaml'
import { clientLines, listenerLines, withListener } from '#src/cli/cert-words.js'
import { openssl, tlsDoor } from '../support/certificate-folder.js'
import { runCommand, startDaemon, writeFiles } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const paths = {
  certificate: 'certs/server.crt',
  key: 'certs/server.key',
  authority: 'certs/ca.crt',
  revocations: 'certs/ca.crl',
}

test('clients come in with what the commands have made, and not without it', {
  skip: missing('mosquitto_pub', 'openssl', 'paho'),
}, async (t) => {
  const daemon = await startDaemon(t, { name: 'shed' })
  const { folder } = daemon
  const certs = join(folder, 'config/certs')
  assert.equal((await runCommand(folder, ['cert', 'init'])).code, 0)
  assert.equal((await runCommand(folder, ['cert', 'client', 'kitchen'])).code, 0)
  assert.equal((await runCommand(folder, ['cert', 'client', 'attic'])).code, 0)
  const heard: string[] = []
  const client = await daemon.connect()
  client.on('message', (_topic, payload) => heard.push(payload.toString()))
  await client.subscribeAsync('hello', { qos: 1 })

  const run = promisify(execFile)
  const says = async (port: number, text: string, ...more: readonly string[]): Promise<boolean> => {
    const argv = [
      '-V',
      'mqttv311',
      '-h',
      'localhost',
      '-p',
      String(port),
      '-q',
      '1',
      '-t',
      'hello',
      '-m',
      text,
    ]
    return await run('mosquitto_pub', [...argv, ...more], { timeout: 10_000 }).then(
      () => true,
      () => false,
    )
  }
  const ca = ['--cafile', join(certs, 'ca.crt')]
  const own = (name: string): string[] => [
    ...['--cert', join(certs, `clients/${name}.crt`)],
    ...['--key', join(certs, `clients/${name}.key`)],
  ]
  const open = await tlsDoor(t, certs, daemon.port)
  assert.ok(await says(open, 'trusting', ...ca))
  assert.equal(await says(open, 'not trusting', '--tls-use-os-certs'), false)
  await run('/usr/bin/python3', ['-c', paho, String(open), join(certs, 'ca.crt')], { timeout: 20_000 })

  const closed = await tlsDoor(t, certs, daemon.port, { requestCert: true, rejectUnauthorized: true })
  assert.ok(await says(closed, 'known', ...ca, ...own('kitchen')))
  assert.equal(await says(closed, 'unknown', ...ca), false)
  assert.equal((await runCommand(folder, ['cert', 'revoke', 'kitchen'])).code, 0)
  const renewed = await tlsDoor(t, certs, daemon.port, { requestCert: true, rejectUnauthorized: true })
  assert.equal(await says(renewed, 'revoked', ...ca, ...own('kitchen')), false)
  assert.ok(await says(renewed, 'other', ...ca, ...own('attic')))
  await until('all have come', () => heard.length === 4)
  assert.deepEqual(heard, ['trusting', 'paho', 'known', 'other'])
})

const paho = `
import sys, paho.mqtt.client as mqtt
client = mqtt.Client()
client.tls_set(ca_certs=sys.argv[2])
client.connect("localhost", int(sys.argv[1]))
client.loop_start()
client.publish("hello", "paho", qos=1).wait_for_publish(10)
client.disconnect()
`

test('init tells what it made, kept and overwrote, and what to write where', async (t) => {
  const folder = await tempFolder(t)
  await writeFiles(folder, { '.env': 'NAME=shed\n', 'damselfly.yaml': 'rules: []\n' })
  const first = await runCommand(folder, [
    'cert',
    'init',
    '--san',
    'Broker.example.org',
    '--san',
    '198.51.100.7',
  ])
  assert.equal(first.code, 0, first.stderr)
  for (const words of [
    /made an authority: config\/certs\/ca\.crt is for every client; config\/certs\/ca\.key is for nobody/,
    /^ {2}shed\.local, .*Broker\.example\.org, 198\.51\.100\.7, localhost, .*127\.0\.0\.1, ::1$/m,
    / {4}secure:\n {6}port: 8883/,
    /mosquitto_pub --cafile ca\.crt -u NAME -P PASSWORD -h shed\.local -p 8883/,
    /client\.tls_set\(ca_certs="ca\.crt"\)/,
    /client\.connect\("shed\.local", 8883\)/,
    /tls\.setCACert\(caText\)/,
  ])
    assert.match(first.stdout, words)
  const again = await runCommand(folder, ['cert', 'init', '--days', '900', '--listen', '8884'])
  assert.match(again.stdout, /kept the authority/)
  assert.match(
    again.stdout,
    /renewed config\/certs\/server\.crt, until .* the one before, until .*, is overwritten/,
  )
  assert.match(again.stdout, /no more in it: Broker\.example\.org, 198\.51\.100\.7 \(--san keeps a name\)/)
  assert.match(again.stdout, /browsers refuse .* more than 825 days/)
  const { listeners } = parse(await readFile(join(folder, 'config/damselfly.yaml'), 'utf8'))
  assert.deepEqual(listeners.secure, {
    port: 8884,
    tls: { cert: 'certs/server.crt', key: 'certs/server.key' },
  })
  const third = await runCommand(folder, ['cert', 'init', '--listen'])
  assert.match(third.stdout, /^the listener secure uses it; a running Damselfly takes it by itself$/m)
})

test('show lists everything, for people and as JSON', { skip: missing('openssl') }, async (t) => {
  const folder = await tempFolder(t)
  await writeFiles(folder, { '.env': 'NAME=shed\n', 'damselfly.yaml': '' })
  assert.match(
    (await runCommand(folder, ['cert', 'show'])).stdout,
    /no certificates in .*: damselfly cert init/,
  )
  await runCommand(folder, ['cert', 'init', '--days', '30'])
  await runCommand(folder, ['cert', 'client', 'kitchen'])
  const shown = (await runCommand(folder, ['cert', 'show'])).stdout
  assert.match(shown, /^server\.crt {2}shed\.local {2}until .*, in 28 days$/m)
  assert.match(shown, /^clients\/kitchen\.crt {2}kitchen {2}until \d{4}-\d\d-\d\d$/m)
  const rows = JSON.parse((await runCommand(folder, ['cert', 'show', '--json'])).stdout)
  assert.deepEqual(
    rows.map(({ name, revoked }: { name: string; revoked: unknown }) => [name, revoked]),
    [
      ['Damselfly authority of shed', null],
      ['shed.local', null],
      ['kitchen', null],
    ],
  )
  const { text } = await openssl('x509', '-in', rows[2].file, '-noout', '-ext', 'extendedKeyUsage')
  assert.match(text, /TLS Web Client Authentication/)
})

const mistakes: readonly [argv: string[], code: number, words: RegExp][] = [
  [['init', '--san', 'a b'], 2, /--san a b: neither a name/],
  [['init', '--name', 'a_b'], 2, /--name a_b/],
  [['init', '--days', '0'], 2, /--days 0: a number from 1 to 7300/],
  [['init', '--days', '7301'], 2, /--days 7301/],
  [['init', '--listen', '70000'], 2, /--listen 70000: a port/],
  [['client', '../x'], 2, /"\.\.\/x" cannot be the name of a client/],
  [['client', 'kitchen'], 1, /there is no authority in .*: damselfly cert init makes one/],
  [['revoke', 'kitchen'], 1, /there is no authority/],
]
for (const [argv, code, words] of mistakes)
  test(`cert ${argv.join(' ')} is refused and told`, async (t) => {
    const folder = await tempFolder(t)
    await writeFiles(folder, { '.env': 'NAME=shed\n', 'damselfly.yaml': '' })
    const result = await runCommand(folder, ['cert', ...argv])
    assert.equal(result.code, code, result.stderr)
    assert.match(result.stderr, words)
  })

test('a service reads the key by its group, and nobody else does', { skip: missing('root') }, async (t) => {
  const { CertificateFolder } = await import('#src/certificates/certificate-folder.js')
  const folder = join(await tempFolder(t), 'certs')
  const it = new CertificateFolder({ folder, readership: { gid: 12_345, mayReadKey: true } })
  await it.init({ names: ['shed.local'], authorityName: 'x', days: 30 })
  const of = async (name: string) => {
    const { gid, mode } = await stat(join(folder, name))
    return [gid, (mode & 0o777).toString(8)]
  }
  assert.deepEqual(await of('server.key'), [12_345, '640'])
  assert.deepEqual(await of(''), [12_345, '750'])
  assert.equal((await of('ca.key'))[1], '600')
  await chown(folder, 0, 0)
  await chmod(folder, 0o700)
  await it.init({ names: ['shed.local'], authorityName: 'x', days: 30 })
  assert.deepEqual(await of(''), [0, '700']) // a folder that is there is its owner's affair
})

test('a listener is added where lines can be added, and nowhere else', () => {
  const lines = listenerLines(8_883, paths).join('\n')
  assert.equal(withListener('', 8_883, paths), `${lines}\n`)
  assert.equal(withListener('rules: []', 8_883, paths), `rules: []\n\n${lines}\n`)
  for (const text of ['listeners: {}\n', '{ rules: [] }\n', 'rules: [\n', '- a\n', 'rules: []\n...\n'])
    assert.equal(withListener(text, 8_883, paths), undefined, text)
})

test('a client with a certificate needs no password', () => {
  const text = clientLines('shed.local', 8_883, 'ca.crt', { certificate: 'a.crt', key: 'a.key' }).join('\n')
  assert.match(text, /certfile="a\.crt", keyfile="a\.key"/)
  assert.doesNotMatch(text, /PASSWORD/)
})
