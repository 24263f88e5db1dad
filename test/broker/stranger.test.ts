import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { brokerWorld, connectPacket, untilClosed } from '../support/broker.js'

test('who speaks TLS is told of in the log, once, with what to do', async (context) => {
  const { port, log, counters } = await brokerWorld(context)
  for (let attempt = 0; attempt < 3; attempt++) {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false })
    socket.on('error', () => {})
    await untilClosed(socket)
  }
  const [line, ...more] = log.having('client refused')
  assert.deepEqual(line?.fields, {
    address: '127.0.0.1',
    reason: 'it speaks TLS, and there is no TLS here yet',
    remedy: 'switch TLS off in the client: mqtt:// instead of mqtts://',
  })
  assert.equal(more.length, 0)
  assert.equal(counters.get('clients.refused'), 3)
})

for (const [said, reason] of [
  ['GET /mqtt HTTP/1.1\r\nUpgrade: websocket\r\n\r\n', /HTTP or WebSocket/],
  ['POST / HTTP/1.1\r\n\r\n', /HTTP or WebSocket/],
  ['GETTING', /it does not speak MQTT/],
  ['\x30\x02\0\0', /it does not speak MQTT/],
] as const)
  test(`who begins with ${JSON.stringify(said)} is told of in the log`, async (context) => {
    const { raw, log } = await brokerWorld(context)
    const socket = await raw()
    const closed = untilClosed(socket)
    socket.write(Buffer.from(said, 'latin1'))
    assert.equal((await closed).length, 0)
    assert.match(String(log.having('client refused')[0]?.fields['reason']), reason)
  })

test('of who speaks MQTT nothing of the kind is told', async (context) => {
  const { raw, log } = await brokerWorld(context)
  const socket = await raw()
  socket.write(connectPacket('fine'))
  await new Promise((resolve) => socket.once('data', resolve))
  assert.equal(log.having('client refused').length, 0)
})
