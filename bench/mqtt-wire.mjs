// The few packets that the bench sends, as bytes, and a client without a library: what it costs is known and the
// same for both sides.
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const never = 0xffff_ffff

/** MQTT 3.1.1 (level 4) or 5. With `clean: false` the session outlives its connection; `user` is [name, password]. */
export function connectPacket(clientId, { level = 4, clean = true, will, user = [] } = {}) {
  const isV5 = level === 5
  const flags = (clean ? 2 : 0) | (will === undefined ? 0 : 4) | (user.length === 0 ? 0 : 0xc0)
  const expiry = clean ? [] : [0x11, ...u32(never)]
  return packet(
    0x10,
    text('MQTT'),
    Buffer.from([level, flags, 0, 0]),
    isV5 ? block(Buffer.from(expiry)) : empty,
    text(clientId),
    will === undefined
      ? empty
      : Buffer.concat([isV5 ? block(empty) : empty, text(will.topic), text(will.payload)]),
    ...user.map(text),
  )
}

export function subscribePacket(filters, qos, level = 4) {
  const wanted = filters.flatMap((filter) => [text(filter), Buffer.from([qos])])
  return packet(0x82, Buffer.from([0, 1]), level === 5 ? block(empty) : empty, ...wanted)
}

/** With QoS 1 and 2 the packet id, which is 1, follows the topic. `properties` are [name, value] of MQTT 5. */
export function publishPacket(topic, payload, { qos = 0, retain = false, level = 4, properties = [] } = {}) {
  const user = properties.map(([name, value]) =>
    Buffer.concat([Buffer.from([0x26]), text(name), text(value)]),
  )
  return packet(
    0x30 | (qos << 1) | (retain ? 1 : 0),
    text(topic),
    qos === 0 ? empty : Buffer.from([0, 1]),
    level === 5 ? block(Buffer.concat(user)) : empty,
    Buffer.from(payload),
  )
}

export const pingPacket = Buffer.from([0xc0, 0])
export const disconnectPacket = Buffer.from([0xe0, 0])

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
  socket.end(Buffer.concat([publishPacket(topic, payload), disconnectPacket]))
  socket.resume()
  await once(socket, 'close')
}

const empty = Buffer.alloc(0)

/** `first` is the first byte of the fixed header. */
export function packet(first, ...parts) {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([first]), length(body.length), body])
}

/** Variable Byte Integer. */
function length(value) {
  const bytes = []
  let rest = value
  do {
    bytes.push((rest % 128) | (rest > 127 ? 0x80 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return Buffer.from(bytes)
}

/** A block of properties of MQTT 5. */
function block(properties) {
  return Buffer.concat([length(properties.length), properties])
}

function text(value) {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}

function u32(value) {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff]
}
