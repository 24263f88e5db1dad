// emulated.mjs ARCHITECTURE ROOT: what the package does on another architecture, whose programs qemu-user runs.
// Called by enter.sh, in namespaces of its own. In the root file system /srv/damselfly.deb is the package, /srv/tests the tests.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hash } from '@node-rs/argon2'
import { connectAsync } from 'mqtt'
import { failureCount, promise, until } from '../proof.mjs'
import { House } from './daemon.mjs'

const [architecture, root] = process.argv.slice(2)
const port = 1_883
const securePort = 8_883
/** As `uname -m` says it. */
const machineNames = { arm64: 'aarch64', armhf: 'armv7l' }
/** @NOTE qemu-user answers ENOSYS for an ioctl that it does not know, whatever the file is; these look at the right answer. */
const needsKernel = ['open-chip.test.js', 'late-chip.test.js']
const house = new House(root)

const node = await house.run('node', [
  '-p',
  'process.version + " " + process.arch + " " + require("os").endianness()',
])
promise(`Debian's Node runs on ${architecture}`, node.code === 0, node.stdout)
await install()
await settle()
try {
  await first()
  await again('SIGTERM')
  await again('SIGKILL')
} finally {
  await house.stop('SIGKILL')
}
await tests()
process.exitCode = failureCount() === 0 ? 0 : 1

async function install() {
  const { code, text } = await house.run('dpkg', ['--install', '/srv/damselfly.deb'])
  promise('the package installs', code === 0, text.split('\n').at(-1))
}

/** Settings, users and certificates, made there by the commands that people use. */
async function settle() {
  writeFileSync(
    house.path('.env'),
    `PORT=${port}\nBIND=loopback\nNAME=shed\nGPIO_CHIP=simulated\nMDNS=off\n`,
    { mode: 0o600 },
  )
  writeFileSync(house.path('config/damselfly.yaml'), readFileSync(new URL('house.yaml', import.meta.url)))
  const added = await house.damselfly(['user', 'add', 'kitchen'], { input: 'pbkdf2 secret' })
  promise('`user add` keeps a password', added.code === 0, added.text)
  // hashed by this system's library, to be verified by the other's
  const argon2 = await hash('argon2 secret', { memoryCost: 47_104, timeCost: 1, parallelism: 1 })
  const users = readFileSync(house.path('config/users'), 'utf8')
  writeFileSync(house.path('config/users'), `${users}shed:${argon2}\n`, { mode: 0o600 })
  const made = await house.damselfly(['cert', 'init'])
  promise('`cert init` makes an authority and a certificate', made.code === 0, made.text.split('\n')[0])
  const checked = await house.damselfly(['check'])
  promise('`check` finds nothing wrong', checked.code === 0, checked.text.split('\n').at(-1))
}

async function first() {
  const begin = Date.now()
  const isReady = await house.start()
  promise(
    'the daemon starts, and says READY=1 on systemd’s socket',
    isReady,
    isReady ? `${Date.now() - begin} ms` : house.log.join(' | '),
  )
  if (!isReady) return
  const client = await connected()
  const seen = received(client)
  await client.subscribeAsync('#', { qos: 1 })
  await client.publishAsync('greeting', 'héllo', { qos: 1 })
  promise('the first message comes', (await seen('greeting')) === 'héllo', 'greeting héllo')
  await client.publishAsync('kept/one', 'until later', { qos: 1, retain: true })
  await client.publishAsync('kept/two', 'exactly once', { qos: 2, retain: true })

  await client.publishAsync('home/lamp/set', '{"msg":"ON"}', { qos: 1 })
  promise('a rule moves a pin, simulated here', (await seen('damselfly/shed/pins/lamp', 'on')) === 'on')
  const program = await seen('program/says')
  promise('`exec` runs a program', program === machineNames[architecture], program)

  await client.publishAsync('sensors/kitchen', '{"celsius":21.5,"count":4294967297,"ok":true}', { qos: 1 })
  await seen('stored')
  const row = await house.damselfly(['export', 'climate', '--format', 'csv'])
  const isWhole = /kitchen,21\.5,4294967297,1\b/.test(row.stdout)
  promise('`store` writes to its database, and `export` reads it', isWhole, row.text)

  await refusals()
  await encrypted()
  const beat = await house.heard('WATCHDOG=1')
  promise('the watchdog is told that a message has come back', beat)
  natives()
  await client.endAsync(true)
}

/** For each who comes in, one who does not. */
async function refusals() {
  for (const [name, password] of [
    ['kitchen', 'pbkdf2 secret'],
    ['shed', 'argon2 secret'],
  ]) {
    const kind = password.split(' ')[0]
    const right = await attempt({ username: name, password })
    promise(`a user whose password is kept with ${kind} comes in`, right === 'connected', right)
    const wrong = await attempt({ username: name, password: `${password}!` })
    promise(`… and with a wrong password does not`, wrong.startsWith('refused'), wrong)
  }
  const failed = house.log.find((line) => line.includes('could not be verified')) ?? ''
  promise('no password stayed unverified', failed === '', failed)
}

async function encrypted() {
  const ca = readFileSync(house.path('config/certs/ca.crt'))
  const secure = { scheme: 'mqtts', port: securePort }
  const trusting = await attempt({ ...secure, ca })
  promise('a client that knows the authority comes in by TLS', trusting === 'connected', trusting)
  const doubting = await attempt(secure)
  promise('… and one that does not know it goes away', doubting.includes('certificate'), doubting)
  const plain = await attempt({ port: securePort })
  promise('… and without TLS nobody comes in there', plain !== 'connected', plain)
}

/** Each of these is machine code, made for each architecture. */
function natives() {
  const files = house.mapped()
  for (const [name, path] of [
    ['koffi', /koffi/],
    ['libsql', /libsql/],
    ['argon2', /argon2/],
    ['classic-level', /classic-level/],
  ]) {
    const file = files.find((mapped) => path.test(mapped) && mapped.endsWith('.node'))
    const kind = file === undefined ? '' : execFileSync('file', ['-b', file], { encoding: 'utf8' })
    const expected = architecture === 'arm64' ? /64-bit.*aarch64/ : /32-bit.*ARM/
    promise(
      `${name} is loaded, as code for ${architecture}`,
      expected.test(kind),
      `${file?.split('node_modules/').at(-1)}: ${kind.split(',').slice(0, 2)}`,
    )
  }
}

/** What was acknowledged is there after an end of either kind. */
async function again(signal) {
  if (house.hasEnded) return
  const code = await house.stop(signal)
  if (signal === 'SIGTERM')
    promise(
      'SIGTERM ends it in order',
      code === 0,
      code === 0 ? code : [code, ...house.log.slice(-6)].join('\n'),
    )
  const isReady = await house.start()
  if (!isReady) return promise(`it starts after ${signal}`, false, house.log.join(' | '))
  const client = await connected()
  const seen = received(client)
  await client.subscribeAsync('kept/#', { qos: 1 })
  const kept = [await seen('kept/one'), await seen('kept/two')]
  promise(`retained messages outlive ${signal}`, kept.join() === 'until later,exactly once', kept.join())
  await client.endAsync(true)
}

/** What needs a chip is shown on the whole machine. */
async function tests() {
  const folder = '/srv/tests'
  const gpio = readdirSync(`${root}${folder}/.build/test/gpio`)
    .filter((file) => file.endsWith('.test.js') && !needsKernel.includes(file))
    .map((file) => `${folder}/.build/test/gpio/${file}`)
  for (const [what, files] of [
    ['the structs of linux/gpio.h are as src/gpio takes them for', [`${folder}/layout.test.mjs`]],
    ['the tests of src/gpio pass', gpio],
  ]) {
    const { stdout } = await house.run('node', ['--test', '--test-timeout=120000', ...files], {
      seconds: 1_200,
    })
    const [passed, failed] = ['pass', 'fail'].map((word) =>
      Number(new RegExp(`^# ${word} (\\d+)`, 'm').exec(stdout)?.[1]),
    )
    const names = [...stdout.matchAll(/^not ok \d+ - (.*)/gm)].map(([, name]) => name)
    promise(what, passed > 0 && failed === 0, [`${passed} passed, ${failed} failed`, ...names].join('\n'))
  }
}

function connected({ scheme = 'mqtt', ...options } = {}) {
  const usual = { port, protocolVersion: 5, reconnectPeriod: 0, connectTimeout: 60_000 }
  // false: a connection that closes is an error, too
  return connectAsync(`${scheme}://localhost`, { ...usual, ...options }, false)
}

async function attempt(options) {
  try {
    const client = await connected(options)
    await client.endAsync(true)
    return 'connected'
  } catch (error) {
    return `refused: ${error.message}`
  }
}

/** @returns a function that waits for a message of this topic, and gives its payload */
function received(client) {
  const messages = []
  client.on('message', (topic, payload) => messages.push([topic, payload.toString()]))
  const find = (wanted, payload) =>
    messages.find(([topic, text]) => topic === wanted && (payload ?? text) === text)?.[1]
  return (topic, payload) =>
    until(
      (found) => found !== undefined,
      () => find(topic, payload),
      120,
    )
}
