import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { lstat, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import mqtt from 'mqtt'
import type { WayIn } from '#src/core/listener.js'
import { brokerWorld, listenerAt, plainWay, portOf } from '../support/broker.js'
import { freePort } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const run = promisify(execFile)

function unixWay(path: string, mode = 0o660): WayIn {
  return { listener: listenerAt(0, { name: 'near', where: { kind: 'unix', path, mode } }), addresses: [path] }
}

function webWay(port: number, path: string): WayIn {
  return {
    listener: listenerAt(port, { name: 'web', webSocket: { path, origins: [] } }),
    addresses: ['127.0.0.1'],
  }
}

test('a listener whose port or way of talking changes drops its clients, and no other does', async (context) => {
  const world = await brokerWorld(context, { ways: [plainWay(['127.0.0.1'], 0, 'second')] })
  const { broker, port } = world
  const second = portOf(broker, 'second')
  const gone: string[] = []
  const connect = async (clientId: string, at: number) => {
    const client = await world.connect({ clientId, port: at })
    client.on('close', () => gone.push(clientId))
  }
  await connect('main', port)
  await connect('second', second)
  const next = await freePort()
  assert.deepEqual(
    await broker.listen([plainWay(['127.0.0.1'], port), plainWay(['127.0.0.1'], next, 'second')]),
    [],
  )
  await until('it is gone', () => gone.length > 0)
  await connect('again', next)
  await broker.listen([
    plainWay(['127.0.0.1'], port),
    {
      listener: listenerAt(next, { name: 'second', webSocket: { path: '/mqtt', origins: [] } }),
      addresses: ['127.0.0.1'],
    },
  ])
  await until('it is gone as well', () => gone.length > 1)
  assert.deepEqual(gone, ['second', 'again'])
  await broker.listen([plainWay(['127.0.0.1'], port)])
  assert.deepEqual(
    broker.open.map(({ name }) => name),
    ['main'],
  )
})

test('two listeners may change their ports with each other', async (context) => {
  const { broker, port } = await brokerWorld(context, { ways: [plainWay(['127.0.0.1'], 0, 'second')] })
  const second = portOf(broker, 'second')
  assert.deepEqual(
    await broker.listen([plainWay(['127.0.0.1'], second), plainWay(['127.0.0.1'], port, 'second')]),
    [],
  )
  assert.deepEqual([portOf(broker), portOf(broker, 'second')], [second, port])
})

test('another path of a WebSocket is for those who come from then on', async (context) => {
  const world = await brokerWorld(context, { ways: [webWay(0, '/old')] })
  const port = portOf(world.broker, 'web')
  const client = await world.connect({ protocol: 'ws', port, path: '/old' })
  await world.broker.listen([plainWay(['127.0.0.1'], world.port), webWay(port, '/new')])
  await client.publishAsync('still', 'here', { qos: 1 })
  await world.connect({ protocol: 'ws', port, path: '/new' })
  await assert.rejects(world.connect({ protocol: 'ws', port, path: '/old' }))
})

test('a failure says which listener it is about', async (context) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  context.after(() => taken.close())
  const { port: takenPort } = taken.address() as { port: number }
  const world = await brokerWorld(context)
  const [failure] = await world.broker.listen([
    plainWay(['127.0.0.1'], world.port),
    plainWay(['127.0.0.1'], takenPort, 'second'),
  ])
  assert.deepEqual([failure?.listener, failure?.address], ['second', '127.0.0.1'])
  assert.match(failure?.error.message ?? '', /^listener second: port \d+ on 127\.0\.0\.1 is taken/)
})

test('clients on a Unix socket are from this machine; its mode may change, and it goes with the broker', {
  skip: missing('mosquitto_pub'),
}, async (context) => {
  const path = join(await tempFolder(context), 'mqtt.sock')
  const world = await brokerWorld(context, { isLocal: false, ways: [unixWay(path)] })
  const heard: string[] = []
  world.broker.hub.subscribe('#', ({ payload }) => heard.push(`${payload}`))
  const client = await mqtt.connectAsync(`mqtt+unix://${path}`, { reconnectPeriod: 0 })
  context.after(() => client.end(true))
  await client.publishAsync('t', 'MQTT.js', { qos: 1 })
  await run('mosquitto_pub', ['--unix', path, '-t', 't', '-m', 'mosquitto', '-q', '1'])
  assert.deepEqual(heard, ['MQTT.js', 'mosquitto'])
  assert.equal((await lstat(path)).mode & 0o777, 0o660)
  await world.broker.listen([plainWay(['127.0.0.1'], world.port), unixWay(path, 0o666)])
  assert.equal((await lstat(path)).mode & 0o777, 0o666)
  assert.equal(client.connected, true)
  await assert.rejects(world.connect()) // over TCP it is not from this machine here
  await world.broker.close()
  await assert.rejects(lstat(path), { code: 'ENOENT' })
})

test('a Unix socket on which somebody listens, and a file in its place, are left alone', async (context) => {
  const folder = await tempFolder(context)
  const taken = join(folder, 'taken.sock')
  const sockets: Socket[] = []
  const server = createServer((socket) => sockets.push(socket)).listen(taken)
  context.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const file = join(folder, 'file')
  await writeFile(file, 'mine')
  const { broker, port } = await brokerWorld(context)
  for (const [path, code] of [
    [taken, 'ADDRESS_IN_USE'],
    [file, 'ADDRESS_UNAVAILABLE'],
  ] as const) {
    const [failure] = await broker.listen([plainWay(['127.0.0.1'], port), unixWay(path)])
    assert.equal(failure?.error.code, code)
    assert.match(failure?.error.message ?? '', /^listener near: cannot listen on /)
  }
})
