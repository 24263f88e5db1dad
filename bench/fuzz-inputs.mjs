// The inputs of the fuzz: bytes that follow from two numbers. A third is noise, the rest are packets with a few
// changes, since noise alone hardly ever gets past a packet's first bytes.

/** Bodies of packets, without the fixed header, that are as they should be. */
const bodies = [
  '00044d515454' + '0402003c' + '000163', // CONNECT of 3.1.1
  '00064d5149736470' + '03c2000a' + '000163' + '000175' + '000170', // CONNECT of 3.1 with credentials
  '00044d515454' +
    '05f6000a' +
    '14' +
    '110000003c' +
    '210014' +
    '2700010000' +
    '220010' +
    '1701' +
    '1900' + // CONNECT of 5
    '000163' +
    '16' +
    '1800000005' +
    '0101' +
    '0200000e10' +
    '03000474657874' +
    '08' +
    '0001720000' +
    '0003612f62' +
    '000568656c6c6f' +
    '000175' +
    '000170',
  '000a' + '0003612f62' + '01' + '0001' + '2302', // SUBSCRIBE of 3.1.1
  '000a' + '02' + '0b07' + '0003612f23' + '2e' + '000a2473686172652f672f61' + '01', // SUBSCRIBE of 5
  '000a' + '00' + '0003612f62' + '00012b', // UNSUBSCRIBE of 5
  '0001', // PUBACK
  '0001' + '10' + '09' + '1f00026e6f' + '26000000' + '00', // PUBACK of 5
  '04' + '0c' + '1100000000' + '26000161' + '000162', // DISCONNECT of 5
  '18' + '08' + '1500016d' + '16000101', // AUTH
  '26000573656e736f7200076b69746368656e' + '260004756e6974000763656c73697573', // properties of a PUBLISH
  '0101' + '0200000e10' + '0300046a736f6e' + '080003612f62' + '09000200ff' + '230001' + '26000161000162',
  '0101' + '0200000e10' + '180000003c' + '080006c3bc2fe6b8a9', // properties of a will
].map((hex) => Buffer.from(hex, 'hex'))

/** Bytes at which something ends, begins or turns over, and the identifiers of properties. */
const telling = [
  0, 1, 2, 3, 4, 5, 8, 9, 11, 17, 18, 19, 21, 22, 23, 24, 25, 26, 28, 31, 33, 34, 35, 36, 37, 38, 39, 40, 41,
  42, 43, 0x2b, 0x23, 0x7f, 0x80, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xff,
]

export function inputOf(seed, number) {
  const random = randomOf(seed, number)
  const below = (most) => Math.floor(random() * most)
  if (below(3) === 0) return Buffer.from(Array.from({ length: below(80) }, () => byte(below)))
  let body = bodies[below(bodies.length)]
  for (let changes = below(5); changes > 0; changes--) body = changed(body, below)
  return body
}

function changed(body, below) {
  const at = below(body.length + 1)
  const [before, after] = [body.subarray(0, at), body.subarray(at)]
  switch (below(7)) {
    case 0:
      return Buffer.concat([before, Buffer.of(byte(below)), after.subarray(1)])
    case 1:
      return Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ (1 << below(8))), after.subarray(1)])
    case 2:
      return Buffer.concat([before, Buffer.of(byte(below)), after])
    case 3:
      return Buffer.concat([before, after.subarray(1 + below(4))])
    case 4:
      return Buffer.concat([before, after.subarray(0, 1 + below(16)), after])
    case 5:
      return before
    default: {
      const other = bodies[below(bodies.length)]
      return Buffer.concat([before, other.subarray(below(other.length))])
    }
  }
}

function byte(below) {
  return below(2) === 0 ? telling[below(telling.length)] : below(256)
}

/** mulberry32: 32 bits of state are enough, and it says the same everywhere. */
function randomOf(seed, number) {
  let state = (Math.imul(seed | 0, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
