import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { messagePrinter } from '#src/cli/message-format.js'
import { readArguments } from '#src/cli/mqtt-arguments.js'
import { runTool } from '#src/cli/mqtt-run.js'
import { pub } from '#src/cli/pub.js'
import { sub } from '#src/cli/sub.js'
import { limits } from '#src/core/limits.js'
import { answering, onlyAs, politeAnswers, rawServer, stoppableBroker } from '../support/client-kit.js'
import { freePort, root, runCommand, startDaemon, writeFiles } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const main = join(root, 'dist/main.js')
const skip = missing('mosquitto_sub', 'mosquitto_pub')

interface Running {
  readonly child: ChildProcessWithoutNullStreams
  readonly stdout: () => Buffer
  readonly stderr: () => string
  /** The exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>
}

function run(context: TestContext, command: string, argv: readonly string[], cwd = '/'): Running {
  const child = spawn(command, argv, { cwd })
  context.after(() => child.kill('SIGKILL'))
  const chunks: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', (chunk) => chunks.push(chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return { child, stdout: () => Buffer.concat(chunks), stderr: () => stderr, ended }
}

const damselfly = (context: TestContext, argv: readonly string[], cwd?: string): Running =>
  run(context, process.execPath, [main, ...argv], cwd)

/** Has so many clients let in that are there to read. */
async function untilReady(
  broker: { log: { having(message: string): unknown[] } },
  count: number,
): Promise<void> {
  await until('they are connected', () => broker.log.having('client connected').length >= count)
  await new Promise((resolve) => setTimeout(resolve, 100)) // the subscription follows in the same moment
}

test('what mosquitto_pub and pub send, mosquitto_sub and sub print alike, byte for byte', {
  skip,
}, async (context) => {
  const broker = await stoppableBroker(context)
  const at = ['-h', '127.0.0.1', '-p', `${broker.port}`]
  const folder = await tempFolder(context)
  const file = join(folder, 'bytes')
  await writeFile(file, Buffer.from([0, 10, 255, 254, 13]))
  const pairs: [argv: readonly string[], input?: string][] = [
    [['-t', 'a/b', '-m', '{"msg":"ON"}']],
    [['-t', 'a/b', '-m', '-5', '-q', '1']],
    [['-t', 'a', '-n']],
    [['-t', 'a/f', '-f', file, '-q', '2']],
    [['-t', 'a', '-l'], 'one\n\ntwo\r\nthree'],
    [['-t', 'a', '-s', '-q', '1'], 'all\nof it\n'],
    [['-t', 'a/kept', '-m', 'kept', '-r']],
  ]
  const count = 2 * (pairs.length + 3)
  const formats = ['[%t] [%8t|%-8t|%.1t] %l %05l %q %r %% @@ @Y \\\\ \\a\\e\\t\\0%p|%x|%X', '%J']
  const readers = [[], ['-v'], ...formats.map((format) => ['-F', format])].map((more) => [
    '-t',
    '#',
    '-t',
    '$SYS/none',
    '-q',
    '1',
    '-C',
    `${count}`,
    ...more,
  ])
  // without -v what is empty is not printed, but counted
  const running = readers.flatMap((argv) => [
    run(context, 'mosquitto_sub', [...at, ...argv]),
    damselfly(context, ['sub', ...at, ...argv]),
  ])
  await untilReady(broker, running.length)
  for (const [argv, input = ''] of pairs) {
    for (const sender of [
      run(context, 'mosquitto_pub', [...at, ...argv]),
      damselfly(context, ['pub', ...at, ...argv]),
    ]) {
      sender.child.stdin.end(input)
      assert.equal(await sender.ended, 0, sender.stderr())
    }
  }
  assert.deepEqual(
    await Promise.all(running.map(({ ended }) => ended)),
    running.map(() => 0),
  )
  for (let index = 0; index < running.length; index += 2) {
    const [theirs, ours] = [running[index] as Running, running[index + 1] as Running]
    if (readers[index / 2]?.at(-1) === '%J') {
      const plain = (text: string) => text.replaceAll(/"tst":"[^"]*"/g, '').replaceAll(/"mid":\d+,/g, '')
      assert.equal(plain(ours.stdout().toString()), plain(theirs.stdout().toString()))
      assert.equal(ours.stderr(), theirs.stderr())
    } else assert.deepEqual(ours.stdout().toString('latin1'), theirs.stdout().toString('latin1'))
  }
})

test('-F writes times as it says, and refuses what it does not know', async (context) => {
  const broker = await stoppableBroker(context)
  const at = ['-h', '127.0.0.1', '-p', `${broker.port}`]
  const reader = damselfly(context, ['sub', ...at, '-t', 'a', '-C', '1', '-q', '1', '-F', '%I|%U|@s.@N|%j'])
  await untilReady(broker, 1)
  assert.equal((await runCommand('/', ['pub', ...at, '-t', 'a', '-m', 'x"y', '-q', '1'])).code, 0)
  assert.equal(await reader.ended, 0)
  const [iso, unix, strftime, json = ''] = reader.stdout().toString().trim().split('|')
  assert.match(iso ?? '', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}$/)
  assert.match(unix ?? '', /^\d{10}\.\d{9}$/)
  assert.equal(strftime, unix)
  const { tst, mid, ...told } = JSON.parse(json)
  assert.match(tst, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d{4}$/)
  assert.equal(typeof mid, 'number')
  assert.deepEqual(told, { topic: 'a', qos: 1, retain: 0, payloadlen: 3, payload: 'x"y' })
  for (const format of ['%z', '100%', '\\q', '@', '\\'])
    await assert.rejects(messagePrinter({ verbose: false, format }), {
      code: 'USAGE',
      message: /-F does not know/,
    })
})

test('sub ends after -W with 27, at Ctrl-C with 0, and when nobody reads any more', async (context) => {
  const broker = await stoppableBroker(context)
  const at = ['-h', '127.0.0.1', '-p', `${broker.port}`]
  const timed = damselfly(context, ['sub', ...at, '-t', 'a', '-W', '1'])
  const interrupted = damselfly(context, ['sub', ...at, '-t', 'b'])
  const head = run(context, 'sh', [
    '-c',
    `"$0" "$1" sub -h 127.0.0.1 -p ${broker.port} -t c -v | head -1`,
    process.execPath,
    main,
  ])
  await untilReady(broker, 3)
  interrupted.child.kill('SIGINT')
  assert.equal(await interrupted.ended, 0)
  const lines = damselfly(context, ['pub', ...at, '-t', 'c', '-l'])
  for (let count = 0; count < 3; count++) lines.child.stdin.write(`${count}\n`)
  lines.child.stdin.end()
  assert.equal(await lines.ended, 0)
  await until('head has its line', () => head.stdout().length > 0)
  await runCommand('/', ['pub', ...at, '-t', 'c', '-m', 'one too many'])
  assert.equal(await head.ended, 0)
  assert.deepEqual([head.stdout().toString(), head.stderr()], ['c 0\n', ''])
  assert.equal(await timed.ended, 27)
  assert.match(timed.stderr(), /^Timed out$/m)
})

test('without -h it is the broker of .env, with its name and password, in both directions', async (context) => {
  const daemon = await startDaemon(context, {
    env: 'ALLOW_ANONYMOUS=false\nMQTT_USERNAME=house\nMQTT_PASSWORD="se cret#1"',
    yaml: 'rules: [{ on: home/set, do: { publish: home/state, text: "${payload}", retain: true } }]',
  })
  const { folder, port } = daemon
  const reader = damselfly(context, ['sub', '-v', '-t', 'home/#', '-C', '2', '-i', 'reader'], folder)
  await until('it is connected', () =>
    daemon.having('client connected').some(({ client }) => client === 'reader'),
  )
  await new Promise((resolve) => setTimeout(resolve, 100))
  const sent = await runCommand(folder, ['pub', '-t', 'home/set', '-m', 'on', '-q', '1'])
  assert.deepEqual([sent.code, sent.stdout, sent.stderr], [0, '', ''])
  assert.equal(await reader.ended, 0)
  assert.deepEqual(reader.stdout().toString().split('\n').sort(), ['', 'home/set on', 'home/state on'])
  for (const host of ['localhost', '127.0.0.1']) {
    const told = await runCommand(folder, ['sub', '-h', host, '-p', `${port}`, '-t', 'home/state', '-C', '1'])
    assert.deepEqual([told.code, told.stdout], [0, 'on\n'])
  }
  const elsewhere = await tempFolder(context)
  await mkdir(join(elsewhere, 'config'))
  const anonymous = await runCommand(elsewhere, ['pub', '-p', `${port}`, '-t', 'a', '-m', 'b'])
  assert.equal(anonymous.code, 5)
  assert.match(anonymous.stderr, /^damselfly: the broker at 127.0.0.1:\d+ refused: not authorised/)
  for (const [name, password, code] of [
    ['house', 'se cret#1', 0],
    ['house', 'se-cret-2', 4],
  ] as const) {
    const login = ['-u', name, '-P', password]
    const told = await runCommand(elsewhere, [
      'sub',
      '-p',
      `${port}`,
      ...login,
      '-t',
      'home/state',
      '-C',
      '1',
    ])
    assert.equal(told.code, code, told.stderr)
    if (code !== 0) assert.match(told.stderr, /wrong user name or password/)
    if (code !== 0) assert.ok(!told.stderr.includes(password))
  }
})

test('the name and the password of .env go to no other port and no other machine', async (context) => {
  const seen: Buffer[] = []
  const { port } = await rawServer(
    context,
    (socket) => void socket.on('data', (chunk) => seen.push(chunk)).once('data', () => socket.end()),
  )
  const folder = await tempFolder(context)
  await writeFiles(folder, {
    '.env': `PORT=${await freePort()}\nMQTT_USERNAME=house\nMQTT_PASSWORD=se-cret-1\n`,
  })
  for (const host of [['-h', '127.0.0.1'], ['-h', hostname()], []])
    assert.equal((await runCommand(folder, ['pub', ...host, '-p', `${port}`, '-t', 'a', '-n'])).code, 1)
  assert.ok(seen.length > 0)
  assert.doesNotMatch(Buffer.concat(seen).toString('latin1'), /house|cret/)
  await writeFiles(folder, { '.env': `PORT=${port}\nMQTT_USERNAME=house\nMQTT_PASSWORD=se-cret-1\n` })
  await runCommand(folder, ['pub', '-t', 'a', '-n'])
  assert.match(Buffer.concat(seen).toString('latin1'), /house.*se-cret-1/s)
})

test('a .env that may not be read is told to who is refused without it, and to nobody else', {
  skip: missing('root', 'setpriv'),
}, async (context) => {
  const folder = await tempFolder(context)
  await writeFiles(folder, { '.env': 'MQTT_USERNAME=house\nMQTT_PASSWORD=x\n' })
  await chmod(folder, 0o755)
  const open = await stoppableBroker(context)
  const closed = await stoppableBroker(context, onlyAs('house', 'x'))
  const nobody = ['--reuid=65534', '--clear-groups', process.execPath, main]
  const cases: [argv: readonly string[], code: number, hasHint: boolean][] = [
    [['pub', '-p', `${open.port}`, '-t', 'a', '-n'], 0, false],
    [['pub', '-p', `${closed.port}`, '-t', 'a', '-n'], 5, true],
    [['sub', '-p', `${closed.port}`, '-t', 'a', '-V', '5'], 0x87, true],
    [['sub', '-p', `${closed.port}`, '-t', 'a', '-u', 'house', '-P', 'y'], 4, false],
    [['sub', '-p', `${closed.port}`, '-t', 'a', '--quiet'], 5, false],
  ]
  for (const [argv, code, hasHint] of cases) {
    const tool = run(context, 'setpriv', [...nobody, ...argv], folder)
    assert.equal(await tool.ended, code, `${argv.join(' ')}: ${tool.stderr()}`)
    const hint = `${join(folder, '.env')} may have a name and a password, and may not be read`
    assert.equal(tool.stderr().includes(hint), hasHint, tool.stderr())
  }
})

test('what cannot be done is told in one line, with exit code 1, or the one that the broker gave', async (context) => {
  const nobody = `${await freePort()}`
  const broker = await stoppableBroker(context, onlyAs('house', 'right'))
  const at = ['-h', '127.0.0.1', '-p', `${broker.port}`]
  const cases: [argv: readonly string[], code: number, told: RegExp][] = [
    [['pub', '-h', '127.0.0.1', '-p', nobody, '-t', 'a', '-m', 'x'], 1, /nothing listens there/],
    [['sub', ...at, '-t', 'a'], 5, /refused: not authorised/],
    [['sub', ...at, '-t', 'a', '-V', '5'], 0x87, /refused: not authorised/],
    [['rr', ...at, '-t', 'a', '-e', 'b', '-n', '-u', 'x', '-P', 'y'], 0x86, /wrong user name/],
    [['pub', '-t', 'a', '-f', '/nowhere', '-h', '127.0.0.1', '-p', nobody], 1, /nowhere cannot be read/],
  ]
  for (const [argv, expected, told] of cases) {
    const { code, stderr } = await runCommand('/', argv)
    assert.equal(code, expected, `${argv.join(' ')}: ${stderr}`)
    assert.match(stderr, told)
    assert.equal(stderr.trim().split('\n').length, 1)
    const quiet = await runCommand('/', [...argv, '--quiet'])
    assert.deepEqual([quiet.code, quiet.stderr], [expected, ''])
  }
})

test('what is not understood is told, with exit code 2, before anybody is asked', async () => {
  const message = ['-t', 'a', '-m', 'x']
  const cases: [tool: 'pub' | 'sub', argv: readonly string[], told: RegExp][] = [
    ['pub', ['-t', 'a'], /give one of -m/],
    ['pub', [...message, '-n'], /give one of -m/],
    ['pub', ['-t', 'a/#', '-m', 'x'], /is not a topic/],
    ['pub', ['-m', 'x'], /-t TOPIC is missing/],
    ['pub', [...message, '-q', '3'], /-q is 0, 1 or 2/],
    ['pub', [...message, '-P', 'y'], /-P needs -u/],
    ['pub', [...message, '-p', '0'], /-p is a whole number/],
    ['pub', [...message, '-i', ''], /-i is empty/],
    ['pub', [...message, '-h', 'http://x'], /-h: not the address/],
    ['pub', [...message, '--repeat', '0'], /--repeat is a whole number/],
    ['pub', [...message, '--repeat-delay', '-1'], /--repeat-delay is a number/],
    ['sub', [], /-t FILTER is missing/],
    ['sub', ['-t', 'a/b#'], /is not a topic filter/],
    ['sub', ['-t', 'a', '-W', '0'], /-W is a whole number/],
    ['sub', ['-t', 'a', '-C', 'x'], /-C is a whole number/],
    ['sub', ['-t', 'a', '-R', '--retained-only'], /leave nothing/],
  ]
  for (const [tool, argv, told] of cases)
    await assert.rejects(runTool(tool, argv, tool === 'pub' ? pub : sub), { code: 'USAGE', message: told })
  assert.equal((await runCommand('/', ['sub'])).code, 2)
  assert.equal((await runCommand('/', ['pub', '-t', 'a', '-m', 'x', '-q', '3'])).code, 2)
  const help = await runCommand('/', ['sub', '--help'])
  assert.equal(help.code, 0)
  assert.match(help.stdout, /-h, --host/)
})

test('sub says that the broker went, and reads on when it is back', async (context) => {
  const broker = await stoppableBroker(context)
  const at = ['-h', '127.0.0.1', '-p', `${broker.port}`]
  const reader = damselfly(context, ['sub', ...at, '-t', 'a', '-C', '1'])
  await untilReady(broker, 1)
  await broker.stop()
  await until('it is told', () => /trying again/.test(reader.stderr()))
  await broker.start()
  await untilReady(broker, 2)
  await runCommand('/', ['pub', ...at, '-t', 'a', '-m', 'back'])
  assert.equal(await reader.ended, 0)
  assert.equal(reader.stdout().toString(), 'back\n')
})

const floodPayload = Buffer.alloc(60_000, 'x')
const floodCount = 1_000

/** Sends 60 MB to whoever subscribes, and counts what was taken. */
async function flood(context: TestContext) {
  const told = { sent: 0, goodbyes: 0 }
  const head = Buffer.from([0x30, 0xe3, 0xd4, 3, 0, 1, 0x61]) // PUBLISH of 60,003 bytes to "a"
  const packet = Buffer.concat([head, floodPayload])
  const { port } = await rawServer(
    context,
    answering({
      ...politeAnswers,
      8: (subscribe, socket) => {
        const onSent = () => void told.sent++
        setImmediate(() => {
          for (let count = 0; count < floodCount; count++) socket.write(packet, onSent)
        })
        return Buffer.from([0x90, 3, subscribe[2] as number, subscribe[3] as number, 0])
      },
      14: (_packet, socket) => {
        told.goodbyes++
        socket.end()
        return undefined
      },
    }),
  )
  return { at: ['-h', '127.0.0.1', '-p', `${port}`], told }
}

/** Its standard output is a pipe that nobody reads. */
function stuck(context: TestContext, argv: readonly string[]) {
  const child = spawn(process.execPath, [main, 'sub', ...argv])
  context.after(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const ended = once(child, 'exit').then(([code, signal]) => [code, signal] as const)
  return { child, ended, stderr: () => stderr }
}

test('a reader that does not read holds back the broker, not the memory of sub; what waited is printed when it reads', async (context) => {
  const { at, told } = await flood(context)
  const { child, ended } = stuck(context, [...at, '-t', 'a', '-C', `${floodCount}`])
  let before = -1
  await until('it takes no more', async () => {
    const isSame = told.sent > 0 && told.sent === before
    before = told.sent
    await new Promise((resolve) => setTimeout(resolve, 300))
    return isSame
  })
  assert.ok(told.sent < floodCount / 2, `${told.sent} of ${floodCount} messages were taken`) // the kernel keeps some
  let bytes = 0
  child.stdout.on('data', (chunk) => (bytes += chunk.length))
  assert.deepEqual(await ended, [0, null])
  await until('all is there', () => bytes === floodCount * (floodPayload.length + 1))
})

test('with a reader that does not read, sub still ends by signals and after -W, and says goodbye', async (context) => {
  const { at, told } = await flood(context)
  const [term, int, timed] = [
    stuck(context, [...at, '-t', 'a']),
    stuck(context, [...at, '-t', 'a']),
    stuck(context, [...at, '-t', 'a', '-W', '2']),
  ]
  assert.deepEqual(await timed.ended, [27, null])
  assert.match(timed.stderr(), /^Timed out$/m)
  term.child.kill('SIGTERM')
  int.child.kill('SIGINT')
  assert.deepEqual(await term.ended, [0, null])
  assert.deepEqual(await int.ended, [0, null])
  await until('all have said goodbye', () => told.goodbyes === 3)
})

test('sub ends when what it asks for is too large, again and again', async (context) => {
  const { port, connections } = await rawServer(
    context,
    answering({
      ...politeAnswers,
      8: (subscribe) =>
        Buffer.from([
          ...[0x90, 3, subscribe[2] as number, subscribe[3] as number, 0],
          ...[0x31, 0x80, 0x80, 0x80, 0x05],
        ]),
    }),
  )
  const reader = damselfly(context, ['sub', '-h', '127.0.0.1', '-p', `${port}`, '-t', 'a'])
  assert.equal(await reader.ended, 1)
  assert.match(reader.stderr(), /it sent a packet of 10485765 bytes, and we take 10485760 at the most/)
  assert.equal(reader.stderr().match(/trying again/g)?.length, limits.clientAttemptsMax - 1)
  assert.equal(connections(), limits.clientAttemptsMax)
})

const versions: readonly (readonly [version: string | undefined, protocol: string])[] = [
  [undefined, '\0\x04MQTT\x04'],
  ['5', '\0\x04MQTT\x05'],
  ['mqttv5', '\0\x04MQTT\x05'],
  ['mqttv311', '\0\x04MQTT\x04'],
  ['311', '\0\x04MQTT\x04'],
  ['mqttv31', '\0\x06MQIsdp\x03'],
  ['31', '\0\x06MQIsdp\x03'],
]
test('-V says which MQTT pub speaks', async (context) => {
  const heard: string[] = []
  const { port } = await rawServer(context, (socket) =>
    socket.once('data', (bytes) => {
      heard.push(bytes.toString('latin1'))
      socket.destroy()
    }),
  )
  for (const [protocolVersion, protocol] of versions) {
    const spoken = protocolVersion === undefined ? [] : ['-V', protocolVersion]
    const argv = ['-h', '127.0.0.1', '-p', `${port}`, '-t', 't', '-m', 'm', ...spoken]
    const ended = readArguments('pub', argv).then(pub)
    await assert.rejects(ended, { code: 'BROKER_UNREACHABLE' })
    assert.equal(heard.at(-1)?.slice(2, 2 + protocol.length), protocol, protocolVersion)
  }
})

test('over MQTT 5 a message gets there, and one that is refused is told with exit code 1', async (context) => {
  const broker = await stoppableBroker(context)
  const at = ['-h', '127.0.0.1', '-p', `${broker.port}`, '-V', '5']
  const reader = damselfly(context, ['sub', ...at, '-t', 'z', '-C', '1'])
  await untilReady(broker, 1)
  const writer = damselfly(context, ['pub', ...at, '-t', 'z', '-m', 'not lost', '-q', '1'])
  assert.deepEqual([await writer.ended, writer.stdout().length], [0, 0])
  assert.deepEqual([await reader.ended, `${reader.stdout()}`], [0, 'not lost\n'])
  const refused = damselfly(context, ['pub', ...at, '-t', '$SYS/z', '-m', 'x', '-q', '1'])
  assert.equal(await refused.ended, 1)
  assert.match(refused.stderr(), /the broker does not take a message for \$SYS\/z/)
})

test('-V before a command is the version of the program, and after one an unknown version of MQTT is a mistake', async (context) => {
  const own = damselfly(context, ['-V'])
  assert.equal(await own.ended, 0)
  assert.match(`${own.stdout()}`, /^\d+\.\d+\.\d+/)
  const wrong = damselfly(context, ['pub', '-V', 'mqttv4', '-t', 'z', '-m', 'x'])
  assert.equal(await wrong.ended, 2)
  assert.match(wrong.stderr(), /-V is mqttv31, mqttv311 or mqttv5, not "mqttv4"/)
})
