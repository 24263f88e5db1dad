import assert from 'node:assert/strict'
import { chmod, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSettings } from '#src/config/read-settings.js'
import { ProblemsError } from '#src/core/problems.js'
import {
  brief,
  catalogueOf,
  folderOf,
  printed,
  problemsOf,
  settingsOf,
  standInCompiler,
} from '../support/config-world.js'

const yaml = ''

test('without any variable every setting has its default', async () => {
  const { settings, warnings } = await settingsOf({ yaml })
  const cwd = settings.configDir.slice(0, -'/config'.length)
  assert.deepEqual(settings, {
    name: hostname(),
    remote: undefined,
    bind: [{ kind: 'lan' }],
    port: 1883,
    allowAnonymous: 'local',
    credentials: undefined,
    dataDir: `${cwd}/data`,
    configDir: `${cwd}/config`,
    controlSocket: `${cwd}/data/control.sock`,
    gpioChip: 'auto',
    pwmDir: undefined,
    logLevel: 'info',
    logFormat: 'json',
    durability: 'power',
    mdns: true,
    systemIntervalMs: 10_000,
    http: undefined,
    limits: {},
    accessFiles: [],
    users: [],
    acl: undefined,
    listeners: [
      {
        name: 'main',
        where: { kind: 'tcp', bind: [{ kind: 'lan' }], port: 1883 },
        webSocket: undefined,
        tls: undefined,
        allowAnonymous: 'local',
        credentials: undefined,
        users: [],
        acl: undefined,
        connectionsMax: undefined,
      },
    ],
    bridges: [],
    pins: [],
    sensors: [],
    telemetry: undefined,
    homeAssistant: {
      mode: 'auto',
      prefix: 'homeassistant',
      name: undefined,
      area: undefined,
      pins: new Map(),
      sensors: new Map(),
    },
    rules: [],
    files: [`${cwd}/.env`, `${cwd}/config/damselfly.yaml`, `${cwd}/config/users`, `${cwd}/config/acl`],
  })
  assert.deepEqual(warnings, [])
})

test('every variable is read from .env', async () => {
  await using folder = await folderOf({
    '.env': `NAME=shed\nBIND=loopback, 192.0.2.7,eth0,::1\nPORT=65535\nALLOW_ANONYMOUS=True\nMQTT_USERNAME=pi
MQTT_PASSWORD='s#cret'\nDATA_DIR=/var/x\nCONFIG_DIR=conf\nGPIO_CHIP=/dev/gpiochip4\nLOG_LEVEL=debug\nLOG_FORMAT=pretty\n`,
    'conf/damselfly.yaml': '',
  })
  const { settings } = await readHere(folder.path)
  assert.equal(settings.name, 'shed')
  assert.deepEqual(settings.bind, [
    { kind: 'loopback' },
    { kind: 'address', address: '192.0.2.7' },
    { kind: 'interface', name: 'eth0' },
    { kind: 'address', address: '::1' },
  ])
  assert.equal(settings.port, 65_535)
  assert.equal(settings.allowAnonymous, 'everyone')
  assert.equal(settings.credentials?.username, 'pi')
  assert.equal(settings.credentials?.password.reveal(), 's#cret')
  assert.equal(settings.dataDir, '/var/x')
  assert.equal(settings.configDir, join(folder.path, 'conf'))
  assert.equal(settings.controlSocket, '/var/x/control.sock')
  assert.equal(settings.gpioChip, '/dev/gpiochip4')
  assert.equal(settings.logLevel, 'debug')
  assert.equal(settings.logFormat, 'pretty')
})

test('the environment goes before .env and stays as it was', async () => {
  const environment = Object.freeze({ PORT: '2000', STATE_DIRECTORY: '/var/lib/damselfly:/other' })
  const { settings } = await settingsOf({ yaml, env: 'PORT=1000\nNAME=a', environment })
  assert.equal(settings.port, 2_000)
  assert.equal(settings.name, 'a')
  assert.equal(settings.dataDir, '/var/lib/damselfly')
  assert.equal(process.env['NAME'], undefined)
})

test('the control socket is in the first runtime directory that systemd gives, else in DATA_DIR', async () => {
  const environment = {
    RUNTIME_DIRECTORY: '/run/damselfly:/run/other',
    STATE_DIRECTORY: '/var/lib/damselfly',
  }
  const { settings } = await settingsOf({ yaml, env: 'DATA_DIR=/srv/data', environment })
  assert.equal(settings.controlSocket, '/run/damselfly/control.sock')
  const without = await settingsOf({
    yaml,
    env: 'DATA_DIR=/srv/data',
    environment: { RUNTIME_DIRECTORY: '' },
  })
  assert.equal(without.settings.controlSocket, '/srv/data/control.sock')
})

test('a credential of systemd goes before the environment, without its last newline', async () => {
  await using credentials = await folderOf({ MQTT_PASSWORD: 'from systemd\n' })
  const environment = { CREDENTIALS_DIRECTORY: credentials.path, MQTT_PASSWORD: 'from env' }
  const { settings } = await settingsOf({ yaml, env: 'MQTT_USERNAME=pi', environment })
  assert.equal(settings.credentials?.password.reveal(), 'from systemd')
})

test('a terminal gets pretty logs', async () => {
  await using folder = await folderOf({ 'config/damselfly.yaml': '' })
  assert.equal((await readHere(folder.path, true)).settings.logFormat, 'pretty')
})

const mistakes: readonly [env: string, problem: RegExp][] = [
  ['PORT=abc', /^1:6 PORT is not a port number \| found abc \| expected a whole number from 1 to 65535/],
  ['\n PORT = 70000 # x', /^2:9 PORT is not a port number \| found 70000 /],
  ['PORT=0', /PORT is not/],
  [
    'PORT=',
    /^1:6 PORT is empty \| found nothing \| expected a value, or no such line \| try put # before PORT/,
  ],
  ['PORT=18e2', /PORT is not/],
  ['BIND=lan, localhost', /^1:11 BIND does not know "localhost" .* \| try loopback/],
  ['BIND=lan,,all', /^1:6 an entry of BIND is empty/],
  ['BIND=300.1.1.1', /^1:6 "300.1.1.1" is no address and no interface/],
  ['BIND=192.0.2.1:1883', /try BIND=192.0.2.1 and PORT=1883/],
  ['BIND=lop back', /is no address and no interface/],
  ['BIND=loopbak', /is no interface of this machine .* try loopback/],
  ['BIND=*', /try all/],
  ['ALLOW_ANONYMOUS=yes', /not one of its three values .* try true/],
  ['ALLOW_ANONYMOUS=locl', /try local/],
  ['MQTT_USERNAME=pi', /^1:15 MQTT_USERNAME is set, but MQTT_PASSWORD is not/],
  [
    'MQTT_PASSWORD=hunter2',
    /^1:15 MQTT_PASSWORD is set, but MQTT_USERNAME is not \| expected both or neither/,
  ],
  ['MQTT_USERNAME=pi\nMQTT_PASSWORD=', /^2:15 MQTT_PASSWORD is empty/],
  ['NAME=a/b', /^1:6 NAME cannot stand in a topic .* try a-b/],
  [`NAME=${'x'.repeat(65)}`, /NAME cannot stand in a topic/],
  ['DATA_DIR=~/data', /^1:10 only a shell knows what ~ means/],
  ['GPIO_CHIP=gpiochip0', /try \/dev\/gpiochip0/],
  ['GPIO_CHIP=simulatd', /try simulated/],
  [
    'LOG_LEVEL=verbose',
    /^1:11 LOG_LEVEL is not one of its values .* expected one of debug, info, warn, error, silent/,
  ],
  ['LOG_FORMAT=jsn', /try json/],
]
for (const [env, expected] of mistakes)
  test(`${JSON.stringify(env).slice(0, 40)} in .env is told at its place`, async () => {
    const problems = await problemsOf({ yaml, env })
    assert.equal(problems.length, 1)
    assert.match(brief(problems[0] as (typeof problems)[0]), expected)
    assert.equal(problems[0]?.place.file, '.env')
  })

test('all mistakes of .env and the YAML are told at once, the files one after the other', async () => {
  const problems = await problemsOf({ env: 'PORT=x\nNAME=+\nLOG_LEVEL=loud', yaml: 'pinz: 1\nrulez: 2' })
  assert.deepEqual(
    problems.map(({ place }) => `${place.file}:${place.line}`),
    ['.env:1', '.env:2', '.env:3', 'config/damselfly.yaml:1', 'config/damselfly.yaml:2'],
  )
})

test('a mistake in the environment names the variable', async () => {
  const problems = await problemsOf({ yaml, environment: { PORT: 'abc' } })
  assert.match(
    printed(problems),
    /^environment variable PORT: PORT is not a port number\n {2}found: {4}"abc"/,
  )
})

test('a quote that swallows the line of the password does not show it', async () => {
  for (const name of ['NAME', 'BIND', 'DATA_DIR', 'PORT', 'MQTT_USERNAME', 'LOG_LEVEL']) {
    const problems = await problemsOf({ yaml, env: `${name}="~x\nMQTT_PASSWORD=hunter2"\nPORT=x` })
    assert.ok(problems.length > 0, name)
    assert.ok(!printed(problems).includes('hunter2'), name)
  }
})

test('no password is ever shown', async () => {
  const env = 'MQTT_PASSWORD=hunter2\nPORT=x\nMQTT_PASSWORT hunter2\nMQTT_PASSWORT=hunter2'
  const problems = await problemsOf({ yaml, env })
  assert.equal(problems.length, 4)
  assert.ok(!printed(problems).includes('hunter2'))
  const fromEnvironment = await problemsOf({ yaml, environment: { MQTT_PASSWORD: 'hunter2' } })
  assert.ok(!printed(fromEnvironment).includes('hunter2'))
})

const names: readonly [name: string, meant: string | undefined][] = [
  ['PORTT', 'PORT'],
  ['port', 'PORT'],
  ['ALLOW_ANONYMUS', 'ALLOW_ANONYMOUS'],
  ['MQTT_USER', 'MQTT_USERNAME'],
  ['MQTT_PASS', 'MQTT_PASSWORD'],
  ['MQTT_PORT', 'PORT'],
  ['DAMSELFLY_NAME', 'NAME'],
  ['LOGLEVEL', 'LOG_LEVEL'],
  ['HOST', undefined],
  ['DB_PORT', undefined],
  ['TELEGRAM_TOKEN', undefined],
  ['HOME', undefined],
]
for (const [name, meant] of names)
  test(`an unknown key ${name} ${meant === undefined ? 'is left alone' : `makes one think of ${meant}`}`, async () => {
    const { warnings } = await settingsOf({ yaml, env: `${name}=1` })
    assert.deepEqual(
      warnings.map(({ suggestion }) => suggestion),
      meant === undefined ? [] : [meant],
    )
  })

test('an .env that others may read is a warning with the remedy', async () => {
  await using folder = await folderOf({ 'config/damselfly.yaml': '', '.env': 'PORT=1883' })
  assert.deepEqual((await readHere(folder.path)).warnings, [])
  await chmod(join(folder.path, '.env'), 0o644)
  assert.deepEqual((await readHere(folder.path)).warnings, []) // there is no secret in it
  for (const env of ['MQTT_USERNAME=a\nMQTT_PASSWORD=b', 'BROKER_URL=mqtt://a:b@pi']) {
    await writeFile(join(folder.path, '.env'), env)
    const { warnings } = await readHere(folder.path)
    assert.equal(warnings[0]?.suggestion, 'chmod o-rwx .env')
  }
  await writeFile(join(folder.path, '.env'), 'BROKER_URL=mqtt://pi')
  assert.deepEqual((await readHere(folder.path)).warnings, [])
})

test('an interface that is not there is a warning, for it may still come', async () => {
  const { warnings, settings } = await settingsOf({ yaml, env: 'BIND=wlan97' })
  assert.match(
    brief(warnings[0] as (typeof warnings)[0]),
    /^1:6 there is no network interface wlan97 at the moment/,
  )
  assert.deepEqual(settings.bind, [{ kind: 'interface', name: 'wlan97' }])
})

test('an .env that is a folder, too large or not UTF-8 is a mistake', async () => {
  await using folder = await folderOf({ 'config/damselfly.yaml': '', '.env/x': '' })
  await assert.rejects(readHere(folder.path), /this is a folder/)
  assert.equal((await problemsOf({ yaml, env: '#'.repeat(64 * 1024) })).length, 0)
  assert.match(printed(await problemsOf({ yaml, env: '#'.repeat(64 * 1024 + 1) })), /too large/)
  const bytes = Buffer.from([0x41, 0x3d, 0x31, 0x0a, 0x42, 0x3d, 0xff])
  assert.match(printed(await problemsOf({ yaml, env: bytes })), /^\.env:2:1: the file is not UTF-8 text/)
})

test('a broken configuration is refused as a whole, and a good one is read again', async () => {
  await using folder = await folderOf({ 'config/damselfly.yaml': '', '.env': 'PORT=x' })
  await assert.rejects(readHere(folder.path), ProblemsError)
  await writeFile(join(folder.path, '.env'), 'PORT=1884', { mode: 0o600 })
  assert.equal((await readHere(folder.path)).settings.port, 1_884)
})

function readHere(cwd: string, isTerminal = false) {
  return readSettings({
    cwd,
    environment: {},
    compiler: standInCompiler,
    loadActions: async () => ({ catalogue: catalogueOf(), problems: [] }),
    isTerminal,
  })
}
