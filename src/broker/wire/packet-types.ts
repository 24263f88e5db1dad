/** Protocol level: 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5.0. */
export type ProtocolLevel = 3 | 4 | 5

/** Control packet types, MQTT 5 table 2-1. */
export const packetType = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const

export type PacketName = keyof typeof packetType

/** PUBACK, PUBREC, PUBREL, PUBCOMP. */
export type AckType = 4 | 5 | 6 | 7

/**
 * Whether a client of that level may send a packet that begins with this byte: a type that goes to the server, with the flags
 * that belong to it [MQTT-2.1.3-1], no QoS 3 [MQTT-3.3.1-4], no DUP with QoS 0 [MQTT-3.3.1-2].
 */
export function mayClientSend(first: number, level: ProtocolLevel): boolean {
  return ((allowed[first] as number) & (1 << level)) !== 0
}

const allowed = new Uint8Array(256)
const any = (1 << 3) | (1 << 4) | (1 << 5)
for (const first of [0x10, 0x40, 0x50, 0x62, 0x70, 0x82, 0xa2, 0xc0, 0xe0]) allowed[first] = any
for (const first of [0x6a, 0x8a, 0xaa]) allowed[first] = 1 << 3 // @NOTE 3.1 sets DUP on what it sends again
allowed[0xf0] = 1 << 5
for (const flags of [0, 1, 2, 3, 4, 5, 10, 11, 12, 13]) allowed[0x30 | flags] = any
