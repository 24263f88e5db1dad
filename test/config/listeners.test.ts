import assert from 'node:assert/strict'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, type TestContext, test } from 'node:test'
import { readSettings, type SettingsReading } from '#src/config/read-settings.js'
import type { Listener } from '#src/core/listener.js'
import { ProblemsError } from '#src/core/problems.js'
import { Authority, type Identity } from '../support/certificates.js'
import { brief, catalogueOf, problemsOf, settingsOf, standInCompiler } from '../support/config-world.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'

async function listenersOf(yaml: string, env = ''): Promise<readonly Listener[]> {
  return (await settingsOf({ yaml, env: `BIND=loopback\n${env}` })).settings.listeners
}

const mistakesOf = async (yaml: string, env?: string): Promise<string[]> =>
  (await problemsOf({ yaml, ...(env === undefined ? {} : { env }) })).map(brief)

test('without listeners there is the one of BIND and PORT', async () => {
  for (const yaml of ['', 'listeners:\n']) {
    const [main, ...more] = await listenersOf(yaml, 'PORT=1999\nALLOW_ANONYMOUS=true\n')
    assert.deepEqual(main, {
      name: 'main',
      where: { kind: 'tcp', bind: [{ kind: 'loopback' }], port: 1999 },
      webSocket: undefined,
      tls: undefined,
      allowAnonymous: 'everyone',
      credentials: undefined,
      users: [],
      acl: undefined,
      connectionsMax: undefined,
    })
    assert.deepEqual(more, [])
  }
})

test('what a listener does not say is as in .env', async () => {
  const [main, web, near, all] = await listenersOf(
    `
listeners:
  web: { port: 9001, websocket: true }
  near: { unix: /run/mqtt.sock, mode: 0666, allow_anonymous: true }
  all: { port: 1884, bind: [loopback, 127.0.0.2], allow_anonymous: false, max_connections: 5, websocket: { path: /, origins: ['https://Panel.example.org/', '*'] } }
`,
    'MQTT_USERNAME=house\nMQTT_PASSWORD=key\n',
  )
  assert.deepEqual(
    [web?.where, web?.webSocket, web?.allowAnonymous, web?.credentials?.username],
    [
      { kind: 'tcp', bind: [{ kind: 'loopback' }], port: 9001 },
      { path: '/mqtt', origins: [] },
      main?.allowAnonymous,
      'house',
    ],
  )
  assert.deepEqual(
    [near?.where, near?.allowAnonymous],
    [{ kind: 'unix', path: '/run/mqtt.sock', mode: 0o666 }, 'everyone'],
  )
  assert.deepEqual(all?.where, {
    kind: 'tcp',
    bind: [{ kind: 'loopback' }, { kind: 'address', address: '127.0.0.2' }],
    port: 1884,
  })
  assert.deepEqual(
    [all?.allowAnonymous, all?.connectionsMax, all?.webSocket],
    ['nobody', 5, { path: '/', origins: ['https://panel.example.org', '*'] }],
  )
})

for (const [yaml, ...expected] of [
  ['listeners: [1]', /^1:12 listeners is not a map/],
  ['listeners: { main: { port: 8883 } }', /the listener "main" is that of BIND and PORT in \.env/],
  ['listeners: { "a b": { port: 8883 } }', /"a b" cannot be the name of a listener/],
  ['listeners: { a: {} }', /the listener "a" does not say where it listens .*8883/],
  ['listeners: { a: { prot: 8883 } }', /the listener "a" has no key "prot" .*try port/],
  ['listeners: { a: { port: 99999 } }', /"port" of the listener "a" is not right/],
  ['listeners: { a: { port: 1883 } }', /the listener "a" and that of \.env \(PORT=1883\) have the same port/],
  [
    'listeners: { a: { port: 8883 }, b: { port: 8883 } }',
    /the listener "b" and the listener "a" have the same port/,
  ],
  ['listeners: { a: { port: 1, bind: 10.0.0.1:5 } }', /has a port in it .*try bind: 10\.0\.0\.1 and port: 5/],
  ['listeners: { a: { unix: run/x } }', /run\/x is no whole path/],
  [`listeners: { a: { unix: /${'x'.repeat(107)} } }`, /at most 107; choose a shorter one/],
  ['listeners: { a: { unix: /x, port: 1 } }', /the listener "a" has unix: and port:/],
  ['listeners: { a: { unix: /x, mode: 999 } }', /"mode" of the listener "a" is no file mode/],
  ['listeners: { a: { port: 1, mode: "0660" } }', /"mode" of the listener "a" says nothing without unix:/],
  [
    'listeners: { a: { port: 1, websocket: { path: mqtt } } }',
    /"path" of "websocket" of the listener "a" is no path/,
  ],
  ['listeners: { a: { port: 1, websocket: { origins: [https://x/y] } } }', /no origin .*try https:\/\/x$/],
  [
    'listeners: { a: { port: 1, allow_anonymous: yes } }',
    /"allow_anonymous" of the listener "a" is not one of its three/,
  ],
  ['listeners: { a: { port: 1, max_connections: 0 } }', /"max_connections" of the listener "a" is not right/],
  [
    'listeners: { a: { port: 1, users: nobody } }',
    /"users" of the listener "a": there is no file config\/nobody/,
  ],
  [
    'listeners: { a: { port: 1, acl: nobody } }',
    /"acl" of the listener "a": there is no file config\/nobody/,
  ],
  ['listeners: { a: { port: 1, tls: true } }', /tls of the listener "a" is not a map/],
  ['listeners: { a: { port: 1, tls: {} } }', /has no cert:/, /has no key:/],
  [
    'listeners: { a: { port: 1, tls: { cert: no.crt, key: no.key } } }',
    /"cert" of tls of the listener "a": there is no file config\/no\.crt/,
    /"key" of tls of the listener "a": there is no file config\/no\.key/,
  ],
] as const)
  test(`a mistake in ${yaml.slice(0, 80)} is told in its place`, async () => {
    const told = await mistakesOf(yaml)
    assert.equal(told.length, expected.length, told.join('\n'))
    for (const [index, pattern] of expected.entries()) assert.match(told[index] as string, pattern)
  })

test('with users or a list of its own a listener knows no others', async (context) => {
  const cwd = await tempFolder(context)
  await mkdir(join(cwd, 'config'))
  const hash = `$6$${Buffer.from('salt').toString('base64')}$${Buffer.alloc(64).toString('base64')}`
  const files = {
    '.env': 'BIND=loopback\nMQTT_USERNAME=owner\nMQTT_PASSWORD=key\n',
    'config/users': `house:${hash}\n`,
    'config/acl': 'topic read house/#\n',
    'config/guests': `guest:${hash}\n`,
    'config/guests.acl': 'topic read guests/#\n',
    'config/damselfly.yaml':
      'listeners:\n  same: { port: 1884 }\n  guests: { port: 1885, users: guests, acl: guests.acl }\n',
  }
  for (const [name, text] of Object.entries(files)) await writeFile(join(cwd, name), text, { mode: 0o640 })
  const { settings } = await readSettings({
    cwd,
    environment: {},
    compiler: standInCompiler,
    loadActions: async () => ({ catalogue: catalogueOf(), problems: [] }),
    isTerminal: false,
  })
  assert.deepEqual(
    settings.listeners.map(({ credentials, users, acl }) => [
      credentials?.username,
      users.map(({ name }) => name),
      acl?.lines.map(({ filter }) => filter),
    ]),
    [
      ['owner', ['house'], ['house/#']],
      ['owner', ['house'], ['house/#']],
      [undefined, ['guest'], ['guests/#']],
    ],
  )
  for (const name of ['guests', 'guests.acl']) assert.ok(settings.files.includes(join(cwd, 'config', name)))
})

test('as many listeners as allowed, and not one more', async () => {
  const yaml = (count: number) =>
    `listeners:\n${Array.from({ length: count }, (_, index) => `  l${index}: { port: ${2000 + index} }\n`).join('')}`
  assert.deepEqual(await mistakesOf(yaml(32)), [])
  assert.match((await mistakesOf(yaml(33)))[0] ?? '', /there are 33 listeners \| expected at most 32/)
})

test('listeners beside BROKER_URL are a warning', async () => {
  const { warnings } = await settingsOf({
    yaml: 'listeners: { a: { port: 9001 } }',
    env: 'BROKER_URL=mqtt://hub',
  })
  assert.match(warnings.map(brief).join('\n'), /listeners do nothing beside BROKER_URL/)
})

const skip = missing('openssl')
let ca: Authority
let other: Authority
let server: Identity

before(async () => {
  if (skip !== false) return
  ca = await Authority.make({} as TestContext)
  other = await Authority.make({} as TestContext, 'Another authority')
  server = await ca.server()
})

/** The settings of a folder that has these files below `config/`. */
async function read(
  context: TestContext,
  tls: string,
  files: Readonly<Record<string, string>>,
  modes: Readonly<Record<string, number>> = {},
  as?: number,
): Promise<SettingsReading> {
  const cwd = await tempFolder(context)
  await chmod(cwd, 0o755)
  await mkdir(join(cwd, 'config/certs'), { recursive: true })
  await writeFile(join(cwd, '.env'), 'BIND=loopback\n')
  await writeFile(join(cwd, 'config/damselfly.yaml'), `listeners:\n  secure: { port: 8883, tls: ${tls} }\n`)
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(cwd, 'config/certs', name), text, { mode: as === undefined ? 0o640 : 0o644 })
    const mode = modes[name]
    if (mode !== undefined) await chmod(join(cwd, 'config/certs', name), mode)
  }
  if (as !== undefined) process.seteuid?.(as)
  return await readSettings({
    cwd,
    environment: {},
    compiler: standInCompiler,
    loadActions: async () => ({ catalogue: catalogueOf(), problems: [] }),
    isTerminal: false,
  }).finally(() => as !== undefined && process.seteuid?.(0))
}

async function mistakesIn(...parameters: Parameters<typeof read>): Promise<string> {
  try {
    const { warnings } = await read(...parameters)
    return warnings.map(brief).join('\n')
  } catch (error) {
    if (error instanceof ProblemsError) return error.problems.map(brief).join('\n')
    throw error
  }
}

const own = 'cert: certs/s.crt, key: certs/s.key'

test('certificates are read, and their files are among those that are watched', { skip }, async (context) => {
  const files = {
    's.crt': server.cert,
    's.key': server.key,
    'ca.crt': await ca.cert,
    'crl.pem': await ca.revoke(),
  }
  const { settings, warnings } = await read(
    context,
    `{ ${own}, client_ca: certs/ca.crt, crl: certs/crl.pem, user_from: common-name, min_version: 1.3 }`,
    files,
  )
  assert.deepEqual(warnings, [])
  const { tls } = settings.listeners[1] as Listener
  const { key, ...rest } = tls ?? {}
  assert.deepEqual(rest, {
    certificate: server.cert,
    clientAuthorities: files['ca.crt'],
    revocations: files['crl.pem'],
    clientCertificates: 'required',
    userFrom: 'common-name',
    minVersion: 'TLSv1.3',
  })
  assert.equal(key?.reveal(), server.key)
  for (const name of Object.keys(files))
    assert.ok(
      settings.files.some((file) => file.endsWith(`/config/certs/${name}`)),
      name,
    )
})

test('without client_ca no client certificate is asked for', { skip }, async (context) => {
  const { settings } = await read(context, `{ ${own} }`, { 's.crt': server.cert, 's.key': server.key })
  const { tls } = settings.listeners[1] as Listener
  assert.deepEqual([tls?.clientCertificates, tls?.minVersion, tls?.userFrom], ['off', 'TLSv1.2', 'nothing'])
})

test('what is wrong with a certificate, a key or a list is told where the file is named', {
  skip,
}, async (context) => {
  const good = { 's.crt': server.cert, 's.key': server.key, 'ca.crt': await ca.cert }
  const clients = `{ ${own}, client_ca: certs/ca.crt, crl: certs/crl.pem }`
  for (const [tls, files, pattern] of [
    [
      `{ ${own} }`,
      { ...good, 's.crt': 'nothing' },
      /^2:38 "cert" .* has no certificate in it .*BEGIN CERTIFICATE/,
    ],
    [`{ ${own} }`, { ...good, 's.key': 'nothing' }, /^2:56 "key" .* has no private key in it/],
    [
      `{ ${own} }`,
      { ...good, 's.key': '-----BEGIN ENCRYPTED PRIVATE KEY-----\nx' },
      /has a passphrase .*openssl pkey/,
    ],
    [
      `{ ${own} }`,
      { ...good, 's.key': (await ca.server()).key },
      /"key" .* does not belong to its certificate/,
    ],
    [
      `{ ${own}, crl: certs/crl.pem }`,
      { ...good, 'crl.pem': await ca.revoke() },
      /"crl" .* says nothing without client_ca/,
    ],
    [`{ ${own}, user_from: common-name }`, good, /"user_from" .* says nothing without client_ca/],
    [
      `{ ${own}, client_certificates: required }`,
      good,
      /"client_certificates" .* says nothing without client_ca/,
    ],
    [
      `{ ${own}, min_version: 1.1 }`,
      good,
      /"min_version" .* is not a version that is allowed .*1\.2 or 1\.3/,
    ],
    [clients, { ...good, 'crl.pem': 'x' }, /has no list of revoked certificates in it/],
    [
      clients,
      { ...good, 'crl.pem': '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----' },
      /"crl" .* cannot be read/,
    ],
    [clients, { ...good, 'crl.pem': await other.revoke() }, /has no list of the authority CN=Test authority/],
  ] as const)
    assert.match(await mistakesIn(context, tls, files), pattern)
})

test('what expires, and a key for everybody, are warnings', { skip }, async (context) => {
  for (const [days, pattern] of [
    [-1, /the certificate of tls of the listener "secure" has expired on \d{4}-/],
    [5, /expires on \d{4}-/],
    [60, /^$/],
  ] as const) {
    const { cert, key } = await ca.issue('localhost', { days, isServer: true })
    assert.match(await mistakesIn(context, `{ ${own} }`, { 's.crt': cert, 's.key': key }), pattern)
  }
  const files = { 's.crt': server.cert, 's.key': server.key }
  assert.match(
    await mistakesIn(context, `{ ${own} }`, files, { 's.key': 0o644 }),
    /everybody on this machine can use .*chmod o-rwx/,
  )
})

test('a file that may not be read says who may not', { skip }, async (context) => {
  const files = { 's.crt': server.cert, 's.key': server.key }
  const isRoot = process.getuid?.() === 0
  // root may read everything
  const told = await mistakesIn(context, `{ ${own} }`, files, { 's.key': 0 }, isRoot ? 65_534 : undefined)
  assert.match(told, /"key" .*, config\/certs\/s\.key: the user \S+ may not read this file/)
})
