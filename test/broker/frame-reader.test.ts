import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameReader, type FrameTaker } from '#src/broker/frame-reader.js'
import { packet } from '../support/wire-client.js'

class Taker implements FrameTaker {
  bytesMax = 1_000
  isStrictLength = true
  takesFrames = true
  readonly frames: Buffer[] = []
  /** Takes so many frames, then no more. */
  limit = Number.POSITIVE_INFINITY

  frame(bytes: Buffer, start: number, at: number, end: number, first: number): void {
    assert.equal(bytes[start], first)
    assert.ok(at > start + 1 && at <= end)
    this.frames.push(Buffer.from(bytes.subarray(start, end)))
    if (this.frames.length >= this.limit) this.takesFrames = false
  }

  packetBytesMax(): number {
    return this.bytesMax
  }

  tooLarge(bytes: number): never {
    throw new Error(`too large: ${bytes}`)
  }
}

const some = [packet(0xc0), packet(0x30, 'abc'), packet(0x32, 'x'.repeat(300)), packet(0xe0)]

test('packets come out as they went in, however the bytes are split', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3), { maxLength: 20 }), fc.array(fc.nat(50)), (picks, cuts) => {
      const sent = picks.map((pick) => some[pick] as Buffer)
      const all = Buffer.concat(sent)
      const taker = new Taker()
      const reader = new FrameReader(taker)
      let at = 0
      for (const cut of cuts) {
        if (at >= all.length) break
        reader.push(Buffer.from(all.subarray(at, at + cut)))
        at += cut
      }
      reader.push(Buffer.from(all.subarray(at)))
      assert.deepEqual(taker.frames, sent)
      assert.equal(reader.held, 0)
    }),
  )
})

test('what comes while no packet is taken waits, in order', () => {
  const taker = new Taker()
  taker.limit = 2
  const reader = new FrameReader(taker)
  const all = Buffer.concat(some)
  reader.push(all.subarray(0, 40))
  reader.push(all.subarray(40))
  assert.equal(taker.frames.length, 2)
  assert.ok(reader.held > 0)
  taker.limit = Number.POSITIVE_INFINITY
  taker.takesFrames = true
  reader.resume()
  assert.deepEqual(taker.frames, some)
})

test('a packet of the size that is allowed is taken, and one byte more is refused before it has come', () => {
  const taker = new Taker()
  const reader = new FrameReader(taker)
  reader.push(packet(0x30, Buffer.alloc(997)))
  assert.equal(taker.frames.length, 1)
  for (const split of [2, 3, 10])
    assert.throws(() => {
      const fresh = new FrameReader(taker)
      const bytes = packet(0x30, Buffer.alloc(998))
      for (let at = 0; at < split; at++) fresh.push(bytes.subarray(at, at + 1))
      fresh.push(bytes.subarray(split, split + 1))
    }, /too large: 1001/)
})

test('memory is taken for what has come, not for what a packet declares', () => {
  const taker = new Taker()
  taker.bytesMax = 100_000_000
  const reader = new FrameReader(taker)
  reader.push(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3]))
  assert.ok(reader.held < 10_000, `${reader.held} bytes`)
})

test('[MQTT-1.5.5-1] a remaining length of five bytes is refused, and a needlessly long one by MQTT 5', () => {
  const five = Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01])
  const padded = Buffer.from([0xc0, 0x80, 0x00])
  for (const isSplit of [false, true]) {
    const push = (taker: Taker, bytes: Buffer): void => {
      const reader = new FrameReader(taker)
      if (isSplit) for (const byte of bytes) reader.push(Buffer.from([byte]))
      else reader.push(bytes)
    }
    assert.throws(() => push(new Taker(), five), /remaining length/)
    assert.throws(() => push(new Taker(), padded), /remaining length/)
    const lax = new Taker()
    lax.isStrictLength = false
    push(lax, padded)
    assert.equal(lax.frames.length, 1)
  }
})
