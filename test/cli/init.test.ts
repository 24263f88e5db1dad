import assert from 'node:assert/strict'
import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { freePort, root, runCommand, startDaemon, writeFiles } from '../support/daemon.js'
import { LiveCommand } from '../support/live-command.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'

const text = (folder: string, file: string) => readFile(join(folder, file), 'utf8')

test('init writes what check has nothing to say about, whatever is chosen', async (context) => {
  for (const argv of [
    ['--yes'],
    ['--access', 'lan', '--lamp', '17'],
    ['--access', 'local', '--lamp', 'simulated'],
    ['--access', 'everyone', '--lamp', 'PIN_11'],
    ['--yes', '--lamp', 'gpio27'],
  ]) {
    const folder = await tempFolder(context)
    const { code, stderr } = await runCommand(folder, ['init', ...argv])
    assert.deepEqual([code, stderr], [0, ''], argv.join(' '))
    const check = await runCommand(folder, ['check'])
    assert.deepEqual([check.code, check.stderr], [0, ''], argv.join(' '))
    assert.match(check.stdout, /2 rules, 1 pin/)
  }
})

test('the password is made by chance, for its owner alone, and stands in the commands that are shown', async (context) => {
  const passwords = new Set<string>()
  for (const _ of [1, 2]) {
    const folder = await tempFolder(context)
    const { stdout } = await runCommand(folder, ['init', '--yes'])
    const [, password = ''] = /^MQTT_PASSWORD=([\w-]{12,})$/m.exec(await text(folder, '.env')) ?? []
    passwords.add(password)
    assert.equal((await stat(join(folder, '.env'))).mode & 0o777, 0o600)
    assert.ok(stdout.includes(`-u house -P ${password} -t home/lamp -m on`), stdout)
    for (const command of [
      /damselfly start/,
      /damselfly trace/,
      /damselfly sub -v/,
      /damselfly pub -t home\/lamp/,
    ])
      assert.match(stdout, command)
  }
  assert.equal(passwords.size, 2)
  const local = await runCommand(await tempFolder(context), ['init', '--yes', '--access', 'local'])
  assert.doesNotMatch(local.stdout, /another machine/)
})

test('what init has written starts, and its rules move the lamp', async (context) => {
  const folder = await tempFolder(context)
  await runCommand(folder, ['init', '--yes', '--lamp', 'simulated'])
  assert.equal(
    await text(folder, 'config/damselfly.schema.json'),
    await text(root, 'config/damselfly.schema.json'),
  )
  const daemon = await startDaemon(context, {
    port: await freePort(),
    yaml: await text(folder, 'config/damselfly.yaml'),
    env: await text(folder, '.env').then((env) => env.replace(/^GPIO_CHIP.*$/m, '')),
  })
  const client = await daemon.connect()
  await client.publishAsync('home/lamp', 'on', { qos: 1 })
  await daemon.logged('pin switched')
  await client.publishAsync('home/lamp/set', '{"msg":"ON"}', { qos: 1 })
  await daemon.logged('lamp on for 30 s, asked by '.concat(client.options.clientId as string))
})

test('what is there stays as it is, and what is missing is added', async (context) => {
  const folder = await tempFolder(context)
  await writeFiles(folder, { '.env': 'CONFIG_DIR=house\nMQTT_USERNAME=me\nMQTT_PASSWORD=mine\n' })
  const first = await runCommand(folder, ['init', '--yes'])
  assert.equal(first.code, 0)
  assert.match(
    first.stdout,
    /kept {2}\.env, which was there\nwrote house\/damselfly\.yaml\nwrote house\/damselfly\.schema\.json/,
  )
  assert.match(first.stdout, /-u me -P PASSWORD/)
  assert.doesNotMatch(first.stdout, /mine/)
  assert.match(await text(folder, '.env'), /PASSWORD=mine/)
  assert.equal((await runCommand(folder, ['check'])).code, 0)

  await writeFile(join(folder, 'house/damselfly.yaml'), 'rules: []\n')
  const second = await runCommand(folder, ['init', '--access', 'local', '--lamp', '4'])
  assert.match(second.stdout, /kept .*\.env.*\nkept .*damselfly\.yaml.*\nkept .*schema/)
  assert.doesNotMatch(second.stdout, /pub -t home\/lamp/)
  assert.equal(await text(folder, 'house/damselfly.yaml'), 'rules: []\n')
})

test('a half that is there is not asked about', async (context) => {
  const folder = await tempFolder(context)
  await writeFiles(folder, { 'damselfly.yaml': '' })
  const { code } = await runCommand(folder, ['init', '--access', 'local'])
  assert.equal(code, 0)
  assert.match(await text(folder, '.env'), /BIND=loopback/)
})

test('another folder is made if need be, and named in what to do next', async (context) => {
  const folder = await tempFolder(context)
  const { stdout } = await runCommand(folder, ['init', '--yes', '--folder', "my house/it's"])
  assert.match(stdout, /cd 'my house\/it'\\''s'/)
  assert.match(await text(folder, "my house/it's/config/damselfly.yaml"), /^# yaml-language-server/)
})

test('without a terminal and without flags nobody is asked and nothing is written', async (context) => {
  const folder = await tempFolder(context)
  for (const argv of [
    [],
    ['--access', 'lan'],
    ['--lamp', '17'],
    ['--access', 'all'],
    ['--lamp', '-1'],
    ['--lamp', 'a b'],
    ['--lamp', '28'],
    ['--lamp', 'GPIO2000'],
  ]) {
    const { code, stderr } = await runCommand(folder, ['init', ...argv])
    assert.equal(code, 2, argv.join(' '))
    assert.match(
      stderr,
      argv.length === 2 && argv[1] !== 'lan' && argv[1] !== '17' ? /--(access|lamp) is/ : /--yes/,
    )
  }
  await assert.rejects(text(folder, '.env'))
  await assert.rejects(text(folder, 'config/damselfly.yaml'))
})

test('a file that cannot be written is named', async (context) => {
  const folder = await tempFolder(context)
  await writeFile(join(folder, 'config'), 'a file')
  const { code, stderr } = await runCommand(folder, ['init', '--yes'])
  assert.equal(code, 1)
  assert.match(stderr, /config\/damselfly\.yaml cannot be written: /)
})

test('on a terminal it asks twice, again when it does not understand, and Ctrl-C writes nothing', {
  skip: missing('script'),
}, async (context) => {
  const folder = await tempFolder(context)
  const live = new LiveCommand(context, folder, ['init'], { isOnTerminal: true })
  await live.says(/Who may connect\?[\s\S]*\[1\] /)
  live.type('7\n')
  await live.says(/That is not 1, 2 or 3/)
  live.type('2\n')
  await live.says(/The GPIO of a lamp[\s\S]*\[(17|simulated)\] /)
  live.type('200\n')
  await live.says(/That is not a GPIO number from 0 to 27/)
  live.type('22\n')
  assert.equal(await live.end(), 0)
  assert.match(await text(folder, '.env'), /BIND=loopback/)
  assert.match(await text(folder, 'config/damselfly.yaml'), /lamp: \{ gpio: 22,/)

  const left = await tempFolder(context)
  await chmod(left, 0o700)
  for (const key of ['\x03', '\x04']) {
    const other = new LiveCommand(context, left, ['init'], { isOnTerminal: true })
    await other.says(/\[1\] /)
    other.type(key)
    assert.equal(await other.end(), 2)
    assert.match(other.stdout, /not answered: nothing was written/)
  }
  await assert.rejects(text(left, '.env'))
})

test('with a broker elsewhere the other machine is sent there, and nowhere when that is not known', async (context) => {
  for (const [env, command] of [
    ['BROKER_URL=mqtt://hub', 'mosquitto_pub -h hub -t home/lamp -m on'],
    [
      'BROKER_URL=mqtt://me:secret@10.0.0.9:1884',
      'mosquitto_pub -h 10.0.0.9 -p 1884 -u me -P PASSWORD -t home/lamp -m on',
    ],
    ['BROKER_URL=mqtts://hub', 'mosquitto_pub -h hub -p 8883 --tls-use-os-certs -t home/lamp -m on'],
    ['BROKER_URL=mqtt://127.0.0.1:1884', undefined],
    ['BROKER_URL=mqtt://[::1]', undefined],
  ] as const) {
    const folder = await tempFolder(context)
    await writeFiles(folder, { '.env': `${env}\n` })
    const { stdout } = await runCommand(folder, ['init', '--yes'])
    const [, told] = /From another machine:\n {2}(.*)/.exec(stdout) ?? []
    assert.equal(told, command)
    assert.doesNotMatch(stdout, /secret/)
  }
})
