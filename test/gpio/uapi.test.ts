import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  chipInfoRoom,
  decodeChipInfo,
  decodeLineEvents,
  decodeLineFd,
  decodeLineInfo,
  decodeLineValue,
  decodePollFd,
  encodeLineInfoRequest,
  encodeLineRequest,
  encodeLineValue,
  encodePollFds,
  ioctls,
  lineFlags,
} from '#src/gpio/uapi.js'

/** The bytes that are not zero, as `offset: hex`, in runs. */
function marks(bytes: Buffer): Record<number, string> {
  const found: Record<number, string> = {}
  let start = -1
  for (let at = 0; at <= bytes.length; at++) {
    const isSet = at < bytes.length && bytes[at] !== 0
    if (isSet && start === -1) start = at
    if (!isSet && start !== -1) {
      found[start] = bytes.toString('hex', start, at)
      start = -1
    }
  }
  return found
}

const hex = (text: string): string => Buffer.from(text).toString('hex')

test('each ioctl number carries the size of its struct', () => {
  const sizeOf = (request: number): number => (request >>> 16) & 0x3fff
  assert.equal(sizeOf(ioctls.getChipInfo), chipInfoRoom().length)
  assert.equal(sizeOf(ioctls.getLineInfo), encodeLineInfoRequest(0).length)
  const request = encodeLineRequest({ offset: 0, consumer: '', flags: 0n })
  assert.equal(sizeOf(ioctls.getLine), request.length)
  assert.equal(sizeOf(ioctls.getLineValues), encodeLineValue(true).length)
  assert.equal(sizeOf(ioctls.setLineValues), encodeLineValue(true).length)
})

const requests = [
  {
    what: 'an output that begins high, active low',
    request: {
      offset: 17,
      consumer: 'damselfly',
      flags: lineFlags.output | lineFlags.activeLow,
      outputValue: true,
    },
    bytes: {
      0: '11',
      256: hex('damselfly'),
      288: '0a',
      296: '01',
      320: '02',
      328: '01',
      336: '01',
      560: '01',
    },
  },
  {
    what: 'an output that begins low: the attribute is there, its value is 0',
    request: { offset: 4, consumer: 'd', flags: lineFlags.output, outputValue: false },
    bytes: { 0: '04', 256: '64', 288: '08', 296: '01', 320: '02', 336: '01', 560: '01' },
  },
  {
    what: 'an input with pull-up, both edges, 30 ms of debounce and an event buffer',
    request: {
      offset: 300,
      consumer: 'd',
      flags: lineFlags.input | lineFlags.edgeRising | lineFlags.edgeFalling | lineFlags.biasPullUp,
      debounceMs: 30,
      eventBufferSize: 256,
    },
    // 30,000 µs is 0x7530
    bytes: {
      0: '2c01',
      256: '64',
      288: '3401',
      296: '01',
      320: '03',
      328: '3075',
      336: '01',
      560: '01',
      565: '01',
    },
  },
  {
    what: 'an input without debounce has no attribute',
    request: { offset: 0, consumer: 'd', flags: lineFlags.input | lineFlags.biasDisabled, debounceMs: 0 },
    bytes: { 256: '64', 288: '0404', 560: '01' },
  },
]

for (const { what, request, bytes } of requests)
  test(`a line request is laid out as linux/gpio.h says: ${what}`, () => {
    assert.deepEqual(marks(encodeLineRequest(request)), bytes)
  })

test('a consumer longer than the kernel takes is cut, and ends in a zero', () => {
  const bytes = encodeLineRequest({ offset: 0, consumer: 'x'.repeat(40), flags: 0n })
  assert.equal(bytes.toString('latin1', 256, 288), `${'x'.repeat(31)}\0`)
})

test('a debounce fits the kernel up to 32 bits of microseconds, and is refused beyond', () => {
  const request = { offset: 0, consumer: '', flags: 0n }
  const longest = encodeLineRequest({ ...request, debounceMs: 4_294_967.295 })
  assert.equal(longest.readUInt32LE(328), 0xffff_ffff)
  assert.throws(() => encodeLineRequest({ ...request, debounceMs: 4_294_968 }), { code: 'GPIO_FAILED' })
})

test("the kernel's answers are read where it writes them", () => {
  const chip = chipInfoRoom()
  chip.write('gpiochip0', 0)
  chip.write('pinctrl-bcm2711', 32)
  chip.writeUInt32LE(58, 64)
  assert.deepEqual(decodeChipInfo(chip), { name: 'gpiochip0', label: 'pinctrl-bcm2711', lineCount: 58 })

  const info = encodeLineInfoRequest(21)
  info.write('GPIO21', 0)
  info.write('y'.repeat(32), 32)
  info.writeBigUInt64LE(lineFlags.used | lineFlags.output, 72)
  const flags = lineFlags.used | lineFlags.output
  assert.deepEqual(decodeLineInfo(info), { name: 'GPIO21', consumer: 'y'.repeat(32), offset: 21, flags })

  const request = encodeLineRequest({ offset: 0, consumer: '', flags: 0n })
  request.writeInt32LE(23, 588)
  assert.equal(decodeLineFd(request), 23)
})

test('a line value goes in and comes out by its mask', () => {
  assert.deepEqual(marks(encodeLineValue(true)), { 0: '01', 8: '01' })
  assert.deepEqual(marks(encodeLineValue(false)), { 8: '01' })
  assert.equal(decodeLineValue(encodeLineValue(true)), true)
  assert.equal(decodeLineValue(encodeLineValue(false)), false)
})

test('edges are read with their time and their number, and an incomplete one is left out', () => {
  const bytes = Buffer.alloc(48 * 2)
  bytes.writeBigUInt64LE(12_345_678_999n, 0)
  bytes.writeUInt32LE(1, 8)
  bytes.writeUInt32LE(7, 16) // of all lines of the request, of which there is one
  bytes.writeUInt32LE(9, 20)
  bytes.writeBigUInt64LE(8_640_000_000_000_123_000n, 48) // a hundred thousand days
  bytes.writeUInt32LE(2, 48 + 8)
  bytes.writeUInt32LE(4_294_967_295, 48 + 20)
  const first = { value: true, atMs: 12_345.678, seqno: 9 }
  const second = { value: false, atMs: 8_640_000_000_000.123, seqno: 4_294_967_295 }
  assert.deepEqual(decodeLineEvents(bytes, 96), [first, second])
  assert.deepEqual(decodeLineEvents(bytes, 95), [first])
  assert.deepEqual(decodeLineEvents(bytes, 0), [])
})

test('poll waits for input on each descriptor and tells idle, readable and broken apart', () => {
  const bytes = encodePollFds([7, 300])
  assert.equal(bytes.toString('hex'), '0700000001000000' + '2c01000001000000')
  assert.equal(decodePollFd(bytes, 0), 'idle')
  bytes.writeInt16LE(0x01, 6)
  bytes.writeInt16LE(0x01 | 0x08 | 0x10, 14) // POLLIN with POLLERR, POLLHUP: the chip has gone
  assert.deepEqual([decodePollFd(bytes, 0), decodePollFd(bytes, 1)], ['readable', 'broken'])
})
