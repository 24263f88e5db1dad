import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { readArguments } from '#src/cli/mqtt-arguments.js'
import { pub } from '#src/cli/pub.js'
import { root } from '../support/daemon.js'
import { type Mosquitto, startMosquitto } from '../support/mosquitto.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const main = join(root, 'dist/main.js')
const skip = missing('mosquitto', 'mosquitto_sub', 'mosquitto_pub', 'mosquitto_rr')

interface Running {
  readonly text: () => string
  readonly ended: Promise<number | null>
}

function run(context: TestContext, command: string, argv: readonly string[], input?: string): Running {
  const child = spawn(command, argv, { cwd: '/' })
  context.after(() => child.kill('SIGKILL'))
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk))
  if (input !== undefined) child.stdin.end(input)
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return { text: () => text, ended }
}

const ours = (context: TestContext, tool: string, ...argv: string[]) =>
  run(context, process.execPath, [main, tool, ...argv])
const theirs = (context: TestContext, tool: string, ...argv: string[]) =>
  run(context, `mosquitto_${tool}`, argv)

/** `pub` without a process of its own. */
async function send(...argv: string[]): Promise<void> {
  await pub(await readArguments('pub', argv))
}

async function subscribed(broker: Mosquitto, count: number): Promise<void> {
  await until(
    `${count} subscriptions\n${broker.output}`,
    () => broker.output.split('Sending SUBACK').length > count,
  )
}

describe('pub, sub and rr beside mosquitto’s own', { concurrency: 2, skip }, () => {
  test('what MQTT 5 tells of a message is sent, and printed, alike', async (context) => {
    const broker = await startMosquitto(context)
    const at = ['-V', '5', '-h', '127.0.0.1', '-p', `${broker.port}`]
    const formats = ['%A|%C|%D|%E|%F|%P|%R|%S|%m', '%j', '%J']
    const readers: string[][] = [
      ...formats.map((format) => ['-F', format, '-D', 'subscribe', 'subscription-identifier', '7']),
      ['-F', '%J', '--pretty'],
      ['-F', '<%p>', '-N'],
      ['-v', '-N', '-T', 'a/b'],
    ].map((more) => ['-t', 'a/#', '-q', '1', '-C', '2', ...more])
    readers[5]?.splice(readers[5].indexOf('-C') + 1, 1, '1')
    const pairs = readers.map((argv) => [
      theirs(context, 'sub', ...at, ...argv),
      ours(context, 'sub', ...at, ...argv),
    ]) as [Running, Running][]
    await subscribed(broker, 2 * pairs.length)
    const message = ['-t', 'a', '-q', '1', '-m', '{"a":[1,2,{"b":3}],"c":{"e":[],"f":{}},"g":"ü\\u0007"}']
    const properties = [
      'content-type text/x',
      'user-property n1 v1',
      'response-topic r/t',
      'correlation-data xy"z',
    ]
      .concat('message-expiry-interval 100', 'payload-format-indicator 1')
      .flatMap((property) => ['-D', 'publish', ...property.split(' ')])
    await send(...at, ...message, ...properties)
    await send(...at, '-t', 'a/b', '-m', '1', '-q', '1')
    for (const [index, [model, own]] of pairs.entries()) {
      assert.equal(await model.ended, 0)
      assert.equal(await own.ended, 0, own.text())
      const same = (text: string) => text.replaceAll(/"tst":\s?"[^"]*"/g, '')
      assert.equal(same(own.text()), same(model.text()), readers[index]?.join(' '))
    }
  })

  test('a request is answered, whoever asks and whoever answers, and 27 says that nobody did', async (context) => {
    const broker = await startMosquitto(context)
    const at = ['-h', '127.0.0.1', '-p', `${broker.port}`]
    for (const [round, ask] of [theirs, ours].entries()) {
      const reader = theirs(context, 'sub', ...at, '-V', '5', '-t', `ask${round}`, '-C', '1', '-F', '%R %p')
      await subscribed(broker, 2 * round + 1)
      const asking = ask(context, 'rr', ...at, '-t', `ask${round}`, '-e', `answer${round}`, '-m', 'now', '-v')
      assert.equal(await reader.ended, 0)
      assert.equal(reader.text(), `answer${round} now\n`)
      await send(...at, '-t', `answer${round}`, '-m', 'twelve')
      assert.equal(await asking.ended, 0)
      assert.equal(asking.text(), `answer${round} twelve\n`)
    }
    const late = ours(context, 'rr', ...at, '-V', '311', '-t', 'ask', '-e', 'answer', '-n', '-W', '1')
    assert.deepEqual([await late.ended, late.text()], [27, 'Timed out\n'])
  })

  test('retained messages are printed alone, left out, and removed, as asked', async (context) => {
    const broker = await startMosquitto(context)
    const at = ['-h', '127.0.0.1', '-p', `${broker.port}`]
    for (const topic of ['kept/a', 'kept/b', 'kept/c']) await send(...at, '-t', topic, '-m', topic, '-r')
    const both = async (more: readonly string[], code: number, expected: string) => {
      for (const tool of [theirs, ours]) {
        const reader = tool(context, 'sub', ...at, '-t', 'kept/#', '-W', '1', ...more)
        assert.equal(await reader.ended, code, reader.text())
        assert.equal(
          reader.text().replace('Timed out\n', '').replaceAll('\n\n', '\n'),
          expected,
          more.join(' '),
        )
      }
    }
    await both(['--retained-only', '-C', '2'], 0, 'kept/a\nkept/b\n')
    await both(['-T', 'kept/b'], 27, 'kept/a\nkept/c\n')
    await both(['-R'], 27, '')
    const fresh = ours(context, 'sub', ...at, '-t', 'kept/#', '--retained-only')
    await until('it has them', () => fresh.text().includes('kept/c'))
    await send(...at, '-t', 'kept/a', '-m', 'fresh')
    assert.deepEqual([await fresh.ended, fresh.text()], [0, 'kept/a\nkept/b\nkept/c\n'])
    const cleaner = ours(
      context,
      'sub',
      ...at,
      '-t',
      'kept/#',
      '-T',
      'kept/b',
      '--remove-retained',
      '-C',
      '2',
    )
    assert.equal(await cleaner.ended, 0)
    await both([], 27, 'kept/b\n')
  })

  test('a session is made with -c -E, and what came meanwhile is printed by the next sub, or its subscription ended', async (context) => {
    const broker = await startMosquitto(context)
    const at = ['-h', '127.0.0.1', '-p', `${broker.port}`]
    const session = [...at, '-i', 'keeper', '-c', '-q', '1']
    assert.equal(await ours(context, 'sub', ...session, '-t', 'late/#', '-E').ended, 0)
    await send(...at, '-t', 'late/a', '-m', 'x', '-q', '1', '--repeat', '3', '--repeat-delay', '0.05')
    const reader = ours(context, 'sub', ...session, '-t', 'other', '-C', '3', '-v')
    assert.deepEqual([await reader.ended, reader.text()], [0, 'late/a x\nlate/a x\nlate/a x\n'])
    assert.equal(await ours(context, 'sub', ...session, '-t', 'other', '-U', 'late/#', '-E').ended, 0)
    await send(...at, '-t', 'late/a', '-m', 'y', '-q', '1')
    const none = ours(context, 'sub', ...session, '-t', 'other', '-W', '1')
    assert.deepEqual([await none.ended, none.text()], [27, 'Timed out\n'])
  })

  test('the will is published when the connection breaks, and -d tells the packets', async (context) => {
    const broker = await startMosquitto(context)
    const at = ['-h', '127.0.0.1', '-p', `${broker.port}`]
    const reader = theirs(context, 'sub', ...at, '-t', 'gone', '-C', '1')
    await subscribed(broker, 1)
    const will = ['--will-topic', 'gone', '--will-payload', 'alas', '--will-retain', '--will-qos', '1']
    const child = spawn(process.execPath, [main, 'sub', ...at, '-t', 'x', '-d', '-i', 'w', ...will], {
      cwd: '/',
    })
    context.after(() => child.kill('SIGKILL'))
    let text = ''
    child.stdout.on('data', (chunk) => (text += chunk))
    await until('it is subscribed', () => /Subscribed \(mid: \d+\): 0/.test(text), 30_000)
    assert.match(
      text,
      /^Client w sending CONNECT\nClient w received CONNACK \(0\)\nClient w sending SUBSCRIBE \(Mid: \d+, Topic: x, QoS: 0, Options: 0x00\)\n/,
    )
    child.kill('SIGKILL')
    assert.deepEqual([await reader.ended, reader.text()], [0, 'alas\n'])
  })

  test('a part of the messages is printed', async (context) => {
    const broker = await startMosquitto(context)
    const at = ['-h', '127.0.0.1', '-p', `${broker.port}`]
    const reader = ours(context, 'sub', ...at, '-t', 'x', '--random-filter', '50', '-W', '3')
    await subscribed(broker, 1)
    await send(...at, '-t', 'x', '-m', 'x', '--repeat', '400')
    assert.equal(await reader.ended, 27)
    const printed = reader.text().split('x\n').length - 1
    assert.ok(printed > 100 && printed < 300, String(printed))
  })
})
