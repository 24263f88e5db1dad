// Messages that are encoded before the measurement, all of one length, so that any run of them is one piece of bytes.
import { publishPacket } from '../mqtt-wire.mjs'

/**
 * @param topics of one length; the messages take them in turn
 * @param count of messages, at most 65,535 when they have packet ids, which are 1 to `count`
 * @param options of `publishPacket`
 * @returns { bytes, size, count }: `count` messages of `size` bytes
 */
export function batchOf(topics, count, payload, options = {}) {
  const packets = topics.map((topic) => publishPacket(topic, payload, options))
  const size = packets[0].length
  if (packets.some((packet) => packet.length !== size)) throw new Error('topics of different lengths')
  const idAt = size - packets[0].subarray(headerBytes(packets[0])).length + 2 + Buffer.byteLength(topics[0])
  const bytes = Buffer.allocUnsafe(size * count)
  for (let index = 0; index < count; index++) {
    bytes.set(packets[index % packets.length], index * size)
    if (options.qos > 0) bytes.writeUInt16BE(index + 1, index * size + idAt)
  }
  return { bytes, size, count }
}

function headerBytes(packet) {
  let at = 1
  while (packet[at++] > 127);
  return at
}
