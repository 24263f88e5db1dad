// The few packets of MQTT 3.1.1 that the bench sends, as bytes, and a client without a library: what it costs
// is known and the same for both sides.
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export function connectPacket(clientId) {
  return packet(0x10, Buffer.concat([text('MQTT'), Buffer.from([4, 2, 0, 0]), text(clientId)]))
}

export function subscribePacket(filter, qos) {
  return packet(0x82, Buffer.concat([Buffer.from([0, 1]), text(filter), Buffer.from([qos])]))
}

/** With QoS 1 the packet id is the two bytes before the payload. */
export function publishPacket(topic, payload, qos) {
  const id = qos === 0 ? [] : [0, 1]
  return packet(0x30 | (qos << 1), Buffer.concat([text(topic), Buffer.from(id), Buffer.from(payload)]))
}

/** A socket on which CONNECT has been accepted. */
export async function connect(port, clientId) {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true })
  try {
    await once(socket, 'connect')
    socket.write(connectPacket(clientId))
    const [answer] = await once(socket, 'data')
    if (answer[0] !== 0x20 || answer[3] !== 0)
      throw new Error(`not a CONNACK that accepts: ${answer.toString('hex')}`)
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** Tries until a broker answers. @returns the nanosecond at which the CONNACK was there */
export async function firstConnackNs(port, child) {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`)
    try {
      const socket = await connect(port, 'bench-first')
      const ns = process.hrtime.bigint()
      socket.destroy()
      return ns
    } catch (error) {
      if (error.code !== 'ECONNREFUSED' && error.code !== 'ECONNRESET') throw error
      await sleep(1)
    }
  }
}

/** Publishes one message with QoS 0 on a connection of its own. */
export async function publishOnce(port, topic, payload) {
  const socket = await connect(port, 'bench-once')
  socket.end(Buffer.concat([publishPacket(topic, payload, 0), Buffer.from([0xe0, 0])]))
  socket.resume()
  await once(socket, 'close')
}

function packet(head, body) {
  const length = []
  let rest = body.length
  do {
    length.push((rest % 128) | (rest > 127 ? 0x80 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return Buffer.concat([Buffer.from([head, ...length]), body])
}

function text(value) {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}
