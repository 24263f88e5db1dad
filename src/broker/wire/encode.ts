import type { ProtocolLevel } from './packet-types.ts'
import { type Properties, writeProperties } from './properties.ts'
import { reasonCode } from './reason-codes.ts'
import { putVarint, varintSize } from './varint.ts'

export interface Connack {
  /** Only said with success [MQTT-3.2.2-6], and not in 3.1, which has no such flag. */
  readonly isSessionPresent: boolean
  /** MQTT 5 reason code; before 5 it becomes a return code. */
  readonly reasonCode: number
  readonly properties?: Properties
}

/** CONNACK; of no bytes where MQTT before 5 has no code for the reason, and the connection is only closed [MQTT-3.2.2-6] of 3.1.1. */
export function encodeConnack(level: ProtocolLevel, connack: Connack): Buffer {
  const isAccepted = connack.reasonCode === reasonCode.success
  const acknowledge = connack.isSessionPresent && isAccepted && level > 3 ? 1 : 0
  if (level === 5)
    return frame(0x20, Buffer.of(acknowledge, connack.reasonCode), writeProperties(connack.properties ?? {}))
  const returnCode = returnCodeOf(connack.reasonCode)
  return returnCode === undefined ? Buffer.alloc(0) : Buffer.of(0x20, 2, acknowledge, returnCode)
}

/** CONNACK return code of MQTT 3.1.1, table 3.1, for a reason code of MQTT 5; undefined for none. */
export function returnCodeOf(code: number): number | undefined {
  return returnCodes.get(code)
}

const returnCodes = new Map<number, number>([
  [reasonCode.success, 0],
  [reasonCode.unsupportedProtocolVersion, 1],
  [reasonCode.clientIdentifierNotValid, 2],
  [reasonCode.serverUnavailable, 3],
  [reasonCode.serverBusy, 3],
  [reasonCode.quotaExceeded, 3],
  [reasonCode.connectionRateExceeded, 3],
  [reasonCode.badUserNameOrPassword, 4],
  [reasonCode.notAuthorized, 5],
  [reasonCode.banned, 5],
])

/** SUBACK with a reason code for each filter [MQTT-3.8.4-5]; a refusal is 0x80 before MQTT 5. */
export function encodeSuback(
  level: ProtocolLevel,
  packetId: number,
  codes: readonly number[],
  properties: Properties = {},
): Buffer {
  if (level === 5) return frame(0x90, u16(packetId), writeProperties(properties), Buffer.from(codes))
  return frame(0x90, u16(packetId), Buffer.from(codes.map((code) => Math.min(code, 0x80))))
}

/** UNSUBACK; with a reason code for each filter in MQTT 5 [MQTT-3.11.3-1], without any before it. */
export function encodeUnsuback(
  level: ProtocolLevel,
  packetId: number,
  codes: readonly number[],
  properties: Properties = {},
): Buffer {
  if (level < 5) return frame(0xb0, u16(packetId))
  return frame(0xb0, u16(packetId), writeProperties(properties), Buffer.from(codes))
}

/** DISCONNECT of MQTT 5; before it a server sends none. */
export function encodeDisconnect(code: number, properties: Properties = {}): Buffer {
  const block = writeProperties(properties)
  if (block.length > 1) return frame(0xe0, Buffer.of(code), block)
  return code === reasonCode.normalDisconnection ? Buffer.of(0xe0, 0) : Buffer.of(0xe0, 1, code)
}

/** A packet of these parts: its first byte, its length, and they. */
export function frame(first: number, ...parts: readonly Buffer[]): Buffer {
  const size = parts.reduce((sum, part) => sum + part.length, 0)
  const head = Buffer.allocUnsafe(1 + varintSize(size))
  head[0] = first
  putVarint(head, 1, size)
  return Buffer.concat([head, ...parts])
}

export function u16(value: number): Buffer {
  return Buffer.of(value >> 8, value & 255)
}
