/**
 * Whether bytes are a UTF-8 Encoded String as MQTT wants it: well formed, no surrogates [MQTT-1.5.4-1], no U+0000 [MQTT-1.5.4-2].
 * U+FEFF is a character like others [MQTT-1.5.4-3].
 */
export function isStrictUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  const at = asciiEnd(bytes, start, end)
  return at === end || isStrictMultibyte(bytes, at, end)
}

/** Where the first byte stands that is not U+0001 to U+007F; `end` when there is none. */
export function asciiEnd(bytes: Uint8Array, start: number, end: number): number {
  let at = start
  // Of 1 to 127 neither the byte nor the byte less one has bit 7: four of them cost one branch.
  for (const last = end - 4; at <= last; at += 4) {
    const a = bytes[at] as number
    const b = bytes[at + 1] as number
    const c = bytes[at + 2] as number
    const d = bytes[at + 3] as number
    if (((a | (a - 1) | b | (b - 1) | c | (c - 1) | d | (d - 1)) & 0x80) !== 0) break
  }
  while (at < end) {
    const byte = bytes[at] as number
    if (byte === 0 || byte > 127) break
    at++
  }
  return at
}

// Unicode 15, table 3-7: the second byte decides about overlong forms, surrogates and what is above U+10FFFF.
function isStrictMultibyte(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start
  while (at < end) {
    const first = bytes[at++] as number
    if (first < 0x80) {
      if (first === 0) return false
      continue
    }
    if (first < 0xc2 || first > 0xf4) return false
    const size = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3
    if (end - at < size) return false
    const second = bytes[at] as number
    const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
    const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
    if (second < low || second > high) return false
    for (let more = 1; more < size; more++) {
      if (((bytes[at + more] as number) & 0xc0) !== 0x80) return false
    }
    at += size
  }
  return true
}
