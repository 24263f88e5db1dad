/** Bytes that a Variable Byte Integer takes; `value` is at most 268,435,455 [MQTT-1.5.5]. */
export function varintSize(value: number): number {
  if (value < 128) return 1
  if (value < 16_384) return 2
  return value < 2_097_152 ? 3 : 4
}

/** Writes a Variable Byte Integer in as few bytes as it takes [MQTT-1.5.5-1]. @returns where the next byte goes */
export function putVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value
  let to = at
  while (rest > 127) {
    bytes[to++] = (rest & 127) | 128
    rest >>>= 7
  }
  bytes[to++] = rest
  return to
}
