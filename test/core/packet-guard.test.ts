import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limits, setLimits } from '#src/core/limits.js'
import { PacketGuard } from '#src/core/packet-guard.js'

/** A packet of this size in all, its content zeros. */
function packet(size: number, type = 0x30): Buffer {
  for (const headerBytes of [2, 3, 4, 5]) {
    let rest = size - headerBytes
    if (rest < 0 || rest >= 128 ** (headerBytes - 1)) continue
    const header = [type]
    do {
      header.push((rest % 128) | (rest >= 128 ? 0x80 : 0))
      rest = Math.floor(rest / 128)
    } while (rest > 0)
    if (header.length !== headerBytes) continue
    return Buffer.concat([Buffer.from(header), Buffer.alloc(size - headerBytes)])
  }
  throw new Error(`no packet has ${size} bytes`)
}

test('the first packet may be as large as its limit, and not a byte larger', () => {
  assert.equal(new PacketGuard().inspect(packet(limits.connectPacketBytesMax)), undefined)
  assert.equal(
    new PacketGuard().inspect(packet(limits.connectPacketBytesMax + 1)),
    limits.connectPacketBytesMax + 1,
  )
})

test('later packets may be as large as theirs, and not a byte larger', () => {
  const guard = new PacketGuard()
  assert.equal(guard.inspect(packet(14)), undefined)
  assert.equal(guard.inspect(packet(limits.packetBytesMax)), undefined)
  assert.equal(guard.inspect(packet(2)), undefined)
  assert.equal(guard.inspect(packet(limits.packetBytesMax + 1).subarray(0, 5)), limits.packetBytesMax + 1)
})

test('packets are told apart wherever the stream is cut', () => {
  const stream = Buffer.concat([
    packet(20),
    packet(2),
    packet(300),
    packet(2),
    packet(140),
    packet(limits.packetBytesMax + 1).subarray(0, 5),
  ])
  for (const size of [1, 2, 3, 7, 64, stream.length]) {
    const guard = new PacketGuard()
    const verdicts: (number | undefined)[] = []
    for (let at = 0; at < stream.length; at += size)
      verdicts.push(guard.inspect(stream.subarray(at, at + size)))
    assert.deepEqual(
      verdicts.filter((verdict) => verdict !== undefined),
      [limits.packetBytesMax + 1],
      `chunks of ${size}`,
    )
  }
})

test('a length of more than four bytes is too large, whatever it says', () => {
  assert.notEqual(new PacketGuard().inspect(Buffer.from([0x10, 0x80, 0x80, 0x80, 0x80, 0x01])), undefined)
})

test('a bound that is changed while a connection lasts holds from its next packet on', (context) => {
  context.after(() => setLimits({}))
  setLimits({ connectPacketBytesMax: 100, packetBytesMax: 100 })
  const guard = new PacketGuard()
  assert.equal(guard.inspect(packet(100)), undefined)
  assert.equal(guard.isFirst, false)
  setLimits({ packetBytesMax: 50 })
  assert.equal(guard.inspect(packet(51)), 51)
})
