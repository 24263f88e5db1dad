import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { afterEach, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { setLimits } from '#src/core/limits.js'
import { brokerWorld } from '../support/broker.js'
import { until } from '../support/until.js'
import { connectBytes as v5ConnectBytes } from '../support/v5-packets.js'
import { bytes, connectBytes, u32, WireClient } from '../support/wire-client.js'

afterEach(() => setLimits({}))

/** What a client at this address is answered first, and when. */
async function knock(
  context: TestContext,
  port: number,
  localAddress: string,
  packet: Uint8Array,
): Promise<{ readonly socket: Socket; readonly answer: Promise<Buffer> }> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  context.after(() => socket.destroy())
  socket.on('error', () => {})
  const answer = new Promise<Buffer>((resolve) => socket.once('data', resolve))
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(packet)
  return { socket, answer }
}

test('two clients that fight for a client id are slowed, and one line names both addresses; others are not slowed', async (context) => {
  const { port, log } = await brokerWorld(context)
  const packet = connectBytes({ clientId: 'twin' })
  for (let round = 0; round < 3; round++)
    await (await knock(context, port, `127.0.0.${2 + (round % 2)}`, packet)).answer
  const beganAtMs = performance.now()
  const { answer } = await knock(context, port, '127.0.0.3', packet)
  await (await knock(context, port, '127.0.0.4', connectBytes({ clientId: 'other' }))).answer
  const [line] = log.having('two clients use one client id')
  assert.deepEqual(
    [line?.fields['client'], line?.fields['address'], line?.fields['otherAddress']],
    ['twin', '127.0.0.3', '127.0.0.2'],
  )
  assert.equal((await answer)[0], 0x20)
  assert.ok(performance.now() - beganAtMs > 900, 'it had to wait')
})

test('a client that fights for a client id and gives up while it waits takes nothing over', async (context) => {
  const { port, broker } = await brokerWorld(context)
  const packet = connectBytes({ clientId: 'twin' })
  const sockets: Socket[] = []
  for (let round = 0; round < 3; round++) {
    const { socket, answer } = await knock(context, port, '127.0.0.2', packet)
    await answer
    sockets.push(socket)
  }
  const { socket } = await knock(context, port, '127.0.0.3', packet)
  await sleep(100)
  socket.destroy()
  await sleep(1_500)
  assert.equal(broker.clientCount, 1)
  assert.equal(sockets.at(-1)?.destroyed, false)
})

test('who sends CONNECT a byte now and then is not let wait longer than who sends none', async (context) => {
  setLimits({ connectTimeoutMs: 600 })
  const { port, counters } = await brokerWorld(context)
  const client = await WireClient.connect(context, port)
  const packet = connectBytes({ clientId: 'a client with a long name' })
  for (let at = 0; at < packet.length - 1 && !client.isClosed; at++) {
    client.send(packet.subarray(at, at + 1))
    await sleep(100)
  }
  await client.closed()
  assert.equal(counters.get('connectTimeoutMs'), 1)
})

test('a client of MQTT 5 is told which keep alive holds when its own is too long, or none', async (context) => {
  setLimits({ keepAliveSecondsMax: 60 })
  const { port } = await brokerWorld(context)
  for (const [keepAlive, isTold] of [
    [60, false],
    [61, true],
    [0, true],
  ] as const) {
    const client = await WireClient.connect(context, port)
    client.send(connectBytes({ level: 5, keepAlive }))
    const { body } = await client.next()
    assert.equal(body[1], 0)
    assert.equal(body.includes(bytes(19, 0, 60)), isTold, `keep alive ${keepAlive}`)
  }
})

test('a client of MQTT 5 is told when its session will not last as long as it asks for', async (context) => {
  setLimits({ sessionExpirySecondsMax: 100 })
  const { port } = await brokerWorld(context)
  for (const [seconds, isTold] of [
    [100, false],
    [101, true],
  ] as const) {
    const client = await WireClient.connect(context, port)
    client.send(connectBytes({ level: 5, properties: bytes(17, u32(seconds)) }))
    const { body } = await client.next()
    assert.equal(body.includes(bytes(17, u32(100))), isTold, `${seconds} s`)
  }
})

test('a broker that stops publishes the wills that are due, and after the next start those that were to wait', async (context) => {
  const first = await brokerWorld(context)
  const will = (topic: string, delay: number) =>
    ({ topic, payload: 'gone', retain: true, properties: bytes(24, u32(delay)) }) as const
  for (const [clientId, seconds, delay] of [
    ['brief', 0, 0],
    ['lasting', 600, 0],
    ['waiting', 600, 1],
  ] as const) {
    const client = await WireClient.connect(context, first.port)
    const properties = bytes(17, u32(seconds))
    client.send(connectBytes({ level: 5, clean: false, clientId, properties, will: will(clientId, delay) }))
    assert.equal((await client.next()).body[1], 0)
  }
  await first.broker.close()
  const { broker } = await brokerWorld(context, { dataDir: first.dataDir })
  const retained = async (): Promise<string[]> => {
    const topics: string[] = []
    for await (const { topic } of broker.hub.retained('#')) topics.push(topic)
    return topics.sort()
  }
  assert.deepEqual(await retained(), ['brief', 'lasting'])
  await until('the third will', async () => (await retained()).length === 3)
})

test('who takes another authentication method, or another keep alive, each time has one line for each', async (context) => {
  setLimits({ keepAliveSecondsMax: 60 })
  const { port, log, counters } = await brokerWorld(context)
  for (let index = 0; index < 300; index++) {
    const { answer } = await knock(
      context,
      port,
      '127.0.0.2',
      v5ConnectBytes({ properties: { authenticationMethod: `x${index}` } }),
    )
    await answer
  }
  assert.equal(log.having('client refused').length, 1)
  for (let keepAlive = 100; keepAlive < 400; keepAlive++)
    await (await knock(context, port, '127.0.0.2', connectBytes({ clientId: 'c', keepAlive }))).answer
  assert.equal(log.having('client refused').length, 2)
  assert.deepEqual([counters.get('clients.refused'), counters.get('keepAliveSecondsMax')], [300, 300])
})
