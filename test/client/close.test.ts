import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { answering, clientOf, politeAnswers, rawServer, stoppableBroker } from '../support/client-kit.js'
import { root } from '../support/daemon.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const rounds = 2

/** Sends 20 numbers, closes and is gone; awaits nothing but `close`. */
const sender = `
const { connect } = await import(${JSON.stringify(join(root, 'dist/index.js'))})
const [port, qos] = process.argv.slice(1).map(Number)
const client = await connect('127.0.0.1:' + port)
for (let count = 0; count < 20; count++) client.send('numbers', count, { qos })
await client.close()
process.exit(0)`

async function sendAndExit(port: number, qos: number): Promise<void> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', sender, `${port}`, `${qos}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  assert.deepEqual(await once(child, 'exit'), [0, null])
}

test('a program that sends twenty values, closes and exits at once loses none of them, whatever the QoS', async (context) => {
  const broker = await stoppableBroker(context)
  const receiver = await clientOf(context, broker.port)
  await receiver.register('numbers')
  for (let round = 0; round < rounds; round++) {
    for (const qos of [0, 1, 2]) {
      await sendAndExit(broker.port, qos)
      await until('all are there', () => receiver.pending('numbers') === 20)
      assert.deepEqual(
        receiver.read('numbers').map(({ payload }) => payload),
        Array.from({ length: 20 }, (_, count) => count),
      )
    }
  }
})

const pahoReceiver = `
import sys
import paho.mqtt.client as mqtt
client = mqtt.Client()
client.on_connect = lambda client, *_: client.subscribe('numbers', 1)
client.on_subscribe = lambda *_: print('ready', flush=True)
client.on_message = lambda _client, _data, message: print(int(message.payload), flush=True)
client.connect('127.0.0.1', int(sys.argv[1]))
client.loop_forever()`

test('nor does paho on the other side miss one', { skip: missing('paho') }, async (context) => {
  const broker = await stoppableBroker(context)
  const paho: ChildProcess = spawn('/usr/bin/python3', ['-c', pahoReceiver, `${broker.port}`])
  context.after(() => paho.kill())
  let told = ''
  paho.stdout?.on('data', (chunk) => (told += chunk))
  await until('paho is ready', () => told.includes('ready\n'))
  for (let round = 0; round < rounds; round++) {
    told = ''
    await sendAndExit(broker.port, round)
    await until('all are there', () => told.split('\n').length === 21)
    assert.equal(told, Array.from({ length: 20 }, (_, count) => `${count}\n`).join(''))
  }
})

test('close says how much could not be delivered, when the broker is away for longer than it waits', async (context) => {
  const broker = await stoppableBroker(context)
  const client = await clientOf(context, broker.port)
  await broker.stop()
  await until('it notices', () => client.state === 'reconnecting')
  const sent = client.send('a', [1, 2, 3], { each: true })
  void client.send('a', 'nobody awaits this one')
  await assert.rejects(client.close({ timeout: '50ms' }), {
    code: 'TIMED_OUT',
    message: /4 messages could not be delivered .* within 50ms/,
  })
  await assert.rejects(sent, { code: 'CONNECTION_CLOSED' })
  assert.equal(client.unacknowledged, 0)
  assert.equal(client.state, 'closed')
})

test('close waits for a broker that comes back in time', async (context) => {
  const broker = await stoppableBroker(context)
  const client = await clientOf(context, broker.port)
  await broker.stop()
  await until('it notices', () => client.state === 'reconnecting')
  const sent = client.send('a', 1)
  const closing = client.close({ timeout: '20s' })
  await broker.start()
  await Promise.all([sent, closing])
})

test('a broker that acknowledges nothing does not hold close up for longer than it may', async (context) => {
  const { port } = await rawServer(context, answering({ ...politeAnswers, 14: () => undefined }))
  const client = await clientOf(context, port)
  const sent = client.send('a', 1)
  const silent = await clientOf(context, port)
  await silent.close({ timeout: '50ms' })
  await assert.rejects(client.close({ timeout: '50ms' }), { code: 'TIMED_OUT', message: /one message/ })
  await assert.rejects(sent, { code: 'CONNECTION_CLOSED' })
})

test('close with a time limit that is none closes nothing', async (context) => {
  const broker = await stoppableBroker(context)
  const client = await clientOf(context, broker.port)
  await assert.rejects(client.close({ timeout: 'long' }), { code: 'DURATION_INVALID' })
  await client.send('a', 1)
  await client.close()
})
