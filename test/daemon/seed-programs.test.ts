import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { root, startDaemon } from '../support/daemon.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const skip = missing('python3', 'paho')

/** A program of test/programs, and the lines that it has printed. */
function python(context: TestContext, program: string, ...words: readonly (string | number)[]) {
  const child: ChildProcess = spawn(
    '/usr/bin/python3',
    ['-W', 'ignore', join(root, 'test/programs', program), ...words.map(String)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const lines: string[] = []
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => lines.push(line))
  context.after(() => child.kill())
  return { child, lines }
}

test("the tutorial's two programs work as they are, and each message is logged as topic, content, qos, retain", {
  skip,
}, async (context) => {
  const daemon = await startDaemon(context, {
    yaml: `rules: [{ name: record, on: test, do: { log: "\${{'topic': topic, 'content': payload, 'qos': qos, 'retain': retain}}" } }]`,
  })
  const server = python(context, 'hello_server.py', '127.0.0.1', daemon.port, 3)
  await until('the server listens', () => server.lines.includes('Connection OK'))
  const client = python(context, 'hello_client.py', '127.0.0.1', daemon.port, 3, 0.2)
  await once(client.child, 'exit')
  await until('all three were heard', () => server.lines.length === 4)
  const heard = server.lines.slice(1).map((line) => JSON.parse(line))
  const logged = daemon.log.filter(({ rule }) => rule === 'record').map(({ msg }) => JSON.parse(msg))
  assert.deepEqual(
    logged.map(({ topic, content, qos, retain }) => [topic, content, qos, retain]),
    heard.map(({ content }) => ['test', content, 0, false]),
  )
  assert.deepEqual(Object.keys(logged[0].content), ['time', 'client', 'client_ip', 'msg'])
})

test('lists of numbers, a message an element, arrive whole and in order', { skip }, async (context) => {
  const daemon = await startDaemon(context)
  const numbers = Array.from({ length: 200 }, (_, index) => (index * 7919) % 1000)
  const receiver = python(context, 'numbers.py', 'receive', '127.0.0.1', daemon.port, 'list', numbers.length)
  await until('the receiver listens', () => receiver.lines.includes('ready'))
  const sender = python(context, 'numbers.py', 'send', '127.0.0.1', daemon.port, 'list', numbers.join(','))
  await once(sender.child, 'exit')
  await until('the list was printed', () => receiver.lines.length === 2)
  assert.deepEqual(JSON.parse(receiver.lines[1] as string), numbers)
})
