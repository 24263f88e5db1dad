// The structs of linux/gpio.h as the C compiler of this architecture lays them out (koffi knows its rules), and what
// src/gpio/uapi.ts takes them for. The ioctl numbers carry the sizes: the kernel refuses one that is wrong.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import koffi from 'koffi'
import * as uapi from '#src/gpio/uapi.js'

const u32 = 'uint32_t'
const u64 = koffi.types.uint64_t // __aligned_u64: 8 bytes, at a multiple of 8
const name = koffi.array('char', 32)
const padding = (count) => koffi.array(u32, count)

const chipInfo = koffi.struct({ name, label: name, lines: u32 })
const values = koffi.struct({ bits: u64, mask: u64 })
const attribute = koffi.struct({
  id: u32,
  padding: u32,
  value: koffi.union({ flags: u64, values: u64, debounceUs: u32 }),
})
const configAttribute = koffi.struct({ attr: attribute, mask: u64 })
const config = koffi.struct({
  flags: u64,
  count: u32,
  padding: padding(5),
  attrs: koffi.array(configAttribute, 10),
})
const request = koffi.struct({
  offsets: padding(64),
  consumer: name,
  config,
  lineCount: u32,
  eventBufferSize: u32,
  padding: padding(5),
  fd: 'int32_t',
})
const lineInfo = koffi.struct({
  name,
  consumer: name,
  offset: u32,
  attributeCount: u32,
  flags: u64,
  attrs: koffi.array(attribute, 10),
  padding: padding(4),
})
const event = koffi.struct({
  timestampNs: u64,
  id: u32,
  offset: u32,
  seqno: u32,
  lineSeqno: u32,
  padding: padding(6),
})
const pollFd = koffi.struct({ fd: 'int', events: 'short', revents: 'short' })

test('each struct has the size that its ioctl number says', () => {
  const sizeOf = (number) => (number >>> 16) & 0x3fff
  assert.equal(koffi.sizeof(chipInfo), sizeOf(uapi.ioctls.getChipInfo))
  assert.equal(koffi.sizeof(lineInfo), sizeOf(uapi.ioctls.getLineInfo))
  assert.equal(koffi.sizeof(request), sizeOf(uapi.ioctls.getLine))
  assert.equal(koffi.sizeof(values), sizeOf(uapi.ioctls.getLineValues))
  assert.equal(koffi.sizeof(values), sizeOf(uapi.ioctls.setLineValues))
  assert.equal(koffi.sizeof(event), uapi.lineEventBytes)
})

test('a request that we encode is one that C reads', () => {
  const bytes = uapi.encodeLineRequest({
    offset: 53,
    consumer: 'damselfly',
    flags: uapi.lineFlags.output | uapi.lineFlags.activeLow,
    outputValue: true,
    debounceMs: 30,
    eventBufferSize: 256,
  })
  const read = koffi.decode(bytes, request)
  assert.equal(read.offsets[0], 53)
  assert.equal(text(read.consumer), 'damselfly')
  assert.equal(BigInt(read.config.flags), uapi.lineFlags.output | uapi.lineFlags.activeLow)
  assert.equal(read.config.count, 2)
  assert.deepEqual(
    read.config.attrs.slice(0, 2).map(({ attr, mask }) => [attr.id, Number(mask)]),
    [
      [2, 1],
      [3, 1],
    ],
  )
  assert.equal(read.lineCount, 1)
  assert.equal(read.eventBufferSize, 256)
  for (const [index, member, value] of [
    [0, 'values', 1n],
    [1, 'debounceUs', 30_000n],
  ]) {
    const at =
      koffi.offsetof(request, 'config') +
      koffi.offsetof(config, 'attrs') +
      index * koffi.sizeof(configAttribute)
    const union = koffi.offsetof(attribute, 'value')
    assert.equal(BigInt(koffi.decode(bytes, at + union, member === 'values' ? u64 : u32)), value)
  }
})

test('what C writes is what we decode', () => {
  const info = filled(lineInfo, { name: 'GPIO17', consumer: 'someone', offset: 17, flags: 1n << 40n })
  assert.deepEqual(uapi.decodeLineInfo(info), {
    name: 'GPIO17',
    consumer: 'someone',
    offset: 17,
    flags: 1n << 40n,
  })
  const chip = filled(chipInfo, { name: 'gpiochip0', label: 'pinctrl-bcm2711', lines: 58 })
  assert.deepEqual(uapi.decodeChipInfo(chip), { name: 'gpiochip0', label: 'pinctrl-bcm2711', lineCount: 58 })
  const edge = filled(event, {
    timestampNs: 5_000_000_123_000n,
    id: 1,
    offset: 17,
    seqno: 9,
    lineSeqno: 4_294_967_295,
  })
  assert.deepEqual(uapi.decodeLineEvents(edge, edge.length), [
    { value: true, atMs: 5_000_000.123, seqno: 4_294_967_295 },
  ])
  assert.equal(uapi.decodeLineFd(filled(request, { fd: 21 })), 21)
  const polled = filled(pollFd, { fd: 3, events: 1, revents: 1 })
  assert.equal(polled.length, uapi.encodePollFds([3]).length)
  assert.equal(uapi.decodePollFd(polled, 0), 'readable')
})

/** The bytes of a struct whose other members are zero. */
function filled(type, members) {
  const bytes = Buffer.alloc(koffi.sizeof(type))
  for (const [member, value] of Object.entries(members)) {
    const at = koffi.offsetof(type, member)
    if (typeof value === 'string') bytes.write(value, at)
    else koffi.encode(bytes, at, koffi.type(type).members[member].type, value)
  }
  return bytes
}

function text(chars) {
  return typeof chars === 'string' ? chars : String.fromCharCode(...chars).replace(/\0.*$/s, '')
}
