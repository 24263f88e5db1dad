import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readArguments } from '#src/cli/mqtt-arguments.js'
import { letters, type MqttTool } from '#src/cli/mqtt-letters.js'
import { brokerOf } from '#src/cli/mqtt-options.js'
import { freePort, runCommand } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'

const tools: readonly MqttTool[] = ['pub', 'sub', 'rr']

/** Every option that stands in the help of one of mosquitto's tools, and in its manual where that is installed. */
function optionsOf(tool: MqttTool): string[] {
  const help = spawnSync(`mosquitto_${tool}`, ['--help'], { encoding: 'utf8' }).stdout
  let manual = ''
  try {
    manual = execFileSync('sh', ['-c', `man mosquitto_${tool} 2>/dev/null | col -b`], { encoding: 'utf8' })
  } catch {
    // without manuals the help has nearly all
  }
  const inUsage = help.match(/(?<=[[{| (])--?[A-Za-z][\w-]*/g) ?? []
  const inList = [...help.matchAll(/^ (--?[A-Za-z][\w-]*) :/gm)].map(([, name]) => name as string)
  const inManual = [...manual.matchAll(/^ {7}(-{1,2}[A-Za-z][\w-]*(?:, --[\w-]+)*)$/gm)].flatMap(
    ([, names]) => (names as string).split(', '),
  )
  return [...new Set([...inUsage, ...inList, ...inManual])].sort()
}

for (const tool of tools) {
  test(`${tool} knows every option of mosquitto_${tool}`, { skip: missing(`mosquitto_${tool}`) }, () => {
    const options = optionsOf(tool)
    assert.ok(options.length > 30, options.join(' '))
    const known = new Set(
      letters.filter((letter) => letter.tools.includes(tool)).flatMap(({ names }) => names),
    )
    assert.deepEqual(
      options.filter((option) => !known.has(option)),
      [],
    )
  })

  test(`${tool} --help has each option, with a word about it`, async () => {
    const { code, stdout } = await runCommand('/', [tool, '--help'])
    assert.equal(code, 0)
    for (const { names, tools: of, refusal } of letters) {
      if (!of.includes(tool) || refusal !== undefined) continue
      assert.ok(stdout.includes(`\n  ${names.join(', ')} `), `${names.join()}\n${stdout}`)
    }
  })
}

const given = async (tool: MqttTool, ...argv: string[]) => await readArguments(tool, argv)
const minimal = { pub: ['-t', 'a', '-n'], sub: ['-t', 'a'], rr: ['-t', 'a', '-e', 'b', '-n'] } as const
const target = async (...argv: string[]) => await brokerOf(await given('pub', ...minimal.pub, ...argv))

test('what cannot be had is refused in words, before anybody is asked', async () => {
  for (const [option, ...words] of [
    ['--proxy', 'socks5h://x'],
    ['--tls-engine', 'x'],
    ['--tls-engine-kpass-sha1', 'x'],
    ['--keyform', 'engine', '--cert', 'c', '--key', 'k', '--cafile', 'f'],
  ] as const) {
    const { code, stderr } = await runCommand('/', ['pub', ...minimal.pub, option, ...words])
    assert.equal(code, 2, stderr)
    assert.match(stderr, new RegExp(`^damselfly: ${option}.* cannot be had: .{5}`))
  }
})

test('an option that there is not, or not here, or without its value, is told with what is meant', async () => {
  const cases: [tool: MqttTool, argv: string[], told: RegExp][] = [
    ['pub', ['--retian'], /no option "--retian"; did you mean --retain\?/],
    ['pub', ['-v'], /pub has no option "-v"; damselfly pub --help/],
    ['sub', ['-r'], /sub has no option "-r"/],
    ['sub', ['surplus'], /no option "surplus"/],
    ['pub', ['-t'], /-t is followed by TOPIC/],
    ['pub', ['--retain=yes'], /--retain has no value/],
    ['pub', ['-D', 'publish', 'user-property', 'name'], /-D is followed by/],
    ['sub', ['-o', '/nowhere'], /-o: \/nowhere cannot be read/],
  ]
  for (const [tool, argv, told] of cases)
    await assert.rejects(given(tool, ...argv), { code: 'USAGE', message: told })
})

test('what contradicts itself, or is out of its range, is told', async () => {
  const cases: [argv: string[], told: RegExp][] = [
    [['-k', '4'], /-k is a whole number from 5 to 65535/],
    [['-i', 'a', '-I', 'b'], /give one of -i and -I/],
    [['-c'], /-c needs -i/],
    [['-V', 'mqttv4'], /-V is mqttv31/],
    [['-V', '5', '-x', '-2', '-i', 'x'], /-x is a whole number/],
    [['-V', '5', '-x', '∞'], /-x without an end needs -i/],
    [['--will-payload', 'x'], /--will-payload needs --will-topic/],
    [['--will-topic', 'a/#'], /--will-topic "a\/#" is not a topic/],
    [['--cert', 'x', '--cafile', 'y'], /--cert and --key go together/],
    [['--psk', '00'], /--psk and --psk-identity go together/],
    [['--psk', '0x00', '--psk-identity', 'a'], /--psk is a key in hexadecimal/],
    [['--psk', '00', '--psk-identity', 'a', '--cafile', 'x'], /give one of --psk and --cafile/],
    [['--tls-version', 'sslv3', '--cafile', 'x'], /--tls-version is tlsv1.3/],
    [['--cafile', '/nowhere'], /--cafile: \/nowhere cannot be read/],
    [['--capath', '/nowhere'], /--capath: \/nowhere cannot be read/],
    [['-L', 'mqtt://host'], /-L has no topic/],
    [['-L', 'http://u:se-cret@host/a'], /-L: expected mqtt:\/\/(?!.*se-cret)/],
    [['-h', 'auto', '--cafile', 'x'], /-h auto finds out by itself/],
    [['-D', 'publish', 'receive-maximum', '3'], /receive-maximum is not allowed for publish/],
    [['-D', 'publish', 'nope', '3'], /does not know the property "nope"/],
    [['-D', 'post', 'content-type', '3'], /-D knows the packets connect/],
    [['-D', 'puback', 'user-property', 'a', 'b'], /-D puback cannot be had/],
    [['-D', 'publish', 'message-expiry-interval', '1d'], /message-expiry-interval is a whole number/],
    [['-D', 'will', 'content-type', 'x'], /-D will needs --will-topic/],
  ]
  for (const [argv, told] of cases)
    await assert.rejects(target(...argv), { code: 'USAGE', message: told }, argv.join(' '))
})

test('where to go, and as whom, by each way of saying it', async () => {
  const where = async (...argv: string[]) => {
    const { broker, topic } = await target(...argv)
    return [broker.host, broker.port, broker.isSecure, broker.username, broker.password?.reveal(), topic]
  }
  const port = await freePort()
  const login = ['u', 'p'] as const
  assert.deepEqual(await where('-h', 'far.example', '-u', 'u', '-P', 'p'), [
    'far.example',
    1_883,
    false,
    ...login,
    undefined,
  ])
  assert.deepEqual(await where('-L', 'mqtt://u:p@far.example/a/b'), [
    'far.example',
    1_883,
    false,
    ...login,
    'a/b',
  ])
  assert.deepEqual(await where('-L', `mqtts://u:p@far.example:${port}/a`), [
    'far.example',
    port,
    true,
    ...login,
    'a',
  ])
  assert.deepEqual(await where('-L', 'mqtts://far.example/a'), [
    'far.example',
    8_883,
    true,
    undefined,
    undefined,
    'a',
  ])
  assert.deepEqual(await where('-h', 'far.example', '--tls-use-os-certs'), [
    'far.example',
    8_883,
    true,
    undefined,
    undefined,
    undefined,
  ])
  assert.deepEqual(await where('-h', 'wss://far.example'), [
    'far.example',
    443,
    true,
    undefined,
    undefined,
    undefined,
  ])
  assert.deepEqual(await where('-h', 'ws://far.example:9001/x'), [
    'far.example',
    9_001,
    false,
    undefined,
    undefined,
    undefined,
  ])
})

test('what the connection is to be, as MQTT.js takes it', async () => {
  const { broker, clientId } = await target(
    ...['-V', '5', '-c', '-i', 'me', '-k', '7', '--will-topic', 'w', '--will-qos', '1', '--will-retain'],
    ...['-D', 'connect', 'receive-maximum', '3', '-D', 'publish', 'user-property', 'n', 'v 1'],
    ...['-D', 'publish', 'user-property', 'n', 'v 2', '-D', 'publish', 'payload-format-indicator', '1'],
  )
  assert.equal(clientId, 'me')
  assert.equal(broker.protocolVersion, 5)
  const { isClean, keepAliveSeconds, will, connectProperties, publishProperties } = broker.terms ?? {}
  assert.deepEqual([isClean, keepAliveSeconds], [false, 7])
  assert.deepEqual(will, { topic: 'w', payload: Buffer.alloc(0), qos: 1, retain: true })
  assert.deepEqual(connectProperties, { sessionExpiryInterval: 4_294_967_295, receiveMaximum: 3 })
  assert.equal(
    JSON.stringify(publishProperties),
    '{"userProperties":{"n":["v 1","v 2"]},"payloadFormatIndicator":true}',
  )
  assert.equal((await target('-I', 'pre')).clientId, `pre${process.pid}`)
  assert.equal(
    (await target('-i', 'me', '-c', '-V', '5', '-x', '60')).broker.terms?.connectProperties
      ?.sessionExpiryInterval,
    60,
  )
  assert.equal((await target('-D', 'publish', 'content-type', 'x')).broker.protocolVersion, 5)
})

test('options come from a file too, and from mosquitto’s own; those of the command line go before them', async (context) => {
  const folder = await tempFolder(context)
  const file = join(folder, 'options')
  await writeFile(file, '# a note\n-h far.example\n\n-m two words\n-D publish user-property n v 1\n-r\n')
  const read = await given('pub', '-o', file, '-h', 'near.example')
  assert.equal(read.last('-h'), 'near.example')
  assert.equal(read.last('-m'), 'two words')
  assert.ok(read.has('-r'))
  assert.deepEqual(read.properties, [['publish', 'user-property', 'n', 'v 1']])
  await writeFile(file, '-h x\n-z\n')
  await assert.rejects(given('pub', '-o', file), {
    code: 'USAGE',
    message: /options:2: pub has no option "-z"/,
  })

  await mkdir(join(folder, 'mosquitto_none'))
  await writeFile(join(folder, 'mosquitto_pub'), `-p ${await freePort()}\n-t home\n-m x\n`)
  const own = await runCommand(folder, ['pub', '-h', '127.0.0.1'], { env: { XDG_CONFIG_HOME: folder } })
  assert.match(own.stderr, /nothing listens there/)
})
