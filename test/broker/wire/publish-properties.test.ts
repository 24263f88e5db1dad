import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ProtocolError } from '#src/broker/wire/protocol-error.js'
import {
  PublishProperties,
  scanPublishProperties,
  scanWillProperties,
} from '#src/broker/wire/publish-properties.js'
import { damaged, propertiesOf } from '../../support/wire-arbitraries.js'
import { among, blockOf, readBlock, refusal } from '../../support/wire-packets.js'

interface Scanned {
  readonly topicAlias: number
  readonly alias: string
  readonly expirySeconds: number
  readonly expiry: string
  readonly delaySeconds: number
  readonly delay: string
}

const nothing: Scanned = {
  topicAlias: 0,
  alias: '',
  expirySeconds: -1,
  expiry: '',
  delaySeconds: 0,
  delay: '',
}

/** What a scan found, and the bytes that it points at. */
function scan(block: Uint8Array, kind: 'publish' | 'will'): Scanned {
  return among(block, (all, start, end) => {
    const found = new PublishProperties()
    if (kind === 'publish') scanPublishProperties(all, start, end, found)
    else scanWillProperties(all, start, end, found)
    const cut = (from: number, to: number) => (from === -1 ? '' : all.toString('hex', from, to))
    return {
      topicAlias: found.topicAlias,
      alias: cut(found.aliasAt, found.aliasEnd),
      expirySeconds: found.messageExpiryInterval,
      expiry: cut(found.expiryAt, found.expiryAt + 4),
      delaySeconds: found.willDelayInterval,
      delay: cut(found.delayAt, found.delayEnd),
    }
  })
}

const accepted: readonly (readonly [title: string, hex: string, found: Partial<Scanned>])[] = [
  ['nothing', '', {}],
  ['a payload format of 0', '0100', {}],
  ['a payload format of 1', '0101', {}],
  ['a message expiry', '0200000e10', { expirySeconds: 3600, expiry: '00000e10' }],
  ['a message expiry of 0', '0200000000', { expirySeconds: 0, expiry: '00000000' }],
  ['the longest message expiry', '02ffffffff', { expirySeconds: 0xffff_ffff, expiry: 'ffffffff' }],
  ['a content type', '03000161', {}],
  ['an empty content type', '030000', {}],
  ['a response topic', '080003612f62', {}],
  ['correlation data of any bytes', '09000200ff', {}],
  ['user properties, the same one twice', '26000161000162260001610001622600000000', {}],
  ['an expiry behind a user property', '260001610001620200000001', { expirySeconds: 1, expiry: '00000001' }],
]
const alias: (typeof accepted)[number] = [
  'an alias',
  '26000161000162230102',
  { topicAlias: 258, alias: '230102' },
]
const delay: (typeof accepted)[number] = [
  'a delay',
  '0101180000003c',
  { delaySeconds: 60, delay: '180000003c' },
]

const refused: readonly (readonly [title: string, hex: string, code: number])[] = [
  ['a payload format of 2', '0102', 0x82],
  ['two payload formats', '01010101', 0x82],
  ['two message expiries', '02000000010200000001', 0x82],
  ['two content types', '0300016103000161', 0x82],
  ['two response topics', '0800016108000161', 0x82],
  ['two correlation data', '090000090000', 0x82],
  ['a response topic with # [MQTT-3.3.2-14]', '080003612f23', 0x82],
  ['a response topic with + [MQTT-3.3.2-14]', '0800012b', 0x82],
  ['an empty response topic [MQTT-4.7.3-1]', '080000', 0x82],
  ['a content type with U+0000 [MQTT-1.5.4-2]', '03000100', 0x81],
  ['a response topic with a surrogate [MQTT-1.5.4-1]', '080003eda080', 0x81],
  ['a user property whose name has U+0000 [MQTT-1.5.4-2]', '26000100000161', 0x81],
  ['a user property whose value is not UTF-8 [MQTT-1.5.4-1]', '260001610001ff', 0x81],
  ['a user property without a value', '26000161', 0x81],
  ['a user property that is cut off', '2600016100', 0x81],
  ['a payload format that is cut off', '01', 0x81],
  ['a message expiry that is cut off', '02000000', 0x81],
  ['a content type that is cut off', '03000261', 0x81],
  ['correlation data that is cut off', '09ffff00', 0x81],
  ['correlation data with half a length', '0900', 0x81],
  ['a property of CONNECT', '210001', 0x81],
  ['an identifier that is none', '00', 0x81],
  ['an identifier of two bytes', '8101', 0x81],
]
const refusedOf = {
  publish: [
    ['an alias of 0 [MQTT-3.3.2-8]', '230000', 0x94],
    ['two aliases', '230001230001', 0x82],
    ['an alias that is cut off', '2300', 0x81],
    ['a subscription identifier [MQTT-3.3.4-6]', '0b01', 0x82],
    ['a will delay', '1800000001', 0x81],
  ],
  will: [
    ['two delays', '18000000011800000001', 0x82],
    ['a delay that is cut off', '18000000', 0x81],
    ['an alias', '230001', 0x81],
    ['a subscription identifier', '0b01', 0x81],
  ],
} as const

for (const kind of ['publish', 'will'] as const) {
  for (const [title, hex, found] of [...accepted, kind === 'publish' ? alias : delay]) {
    test(`${title} of a ${kind} is accepted`, () => {
      assert.deepEqual(scan(Buffer.from(hex, 'hex'), kind), { ...nothing, ...found })
    })
  }
  for (const [title, hex, code] of [...refused, ...refusedOf[kind]]) {
    test(`${title} of a ${kind} is refused with 0x${code.toString(16)}`, () => {
      assert.throws(() => scan(Buffer.from(hex, 'hex'), kind), refusal(code))
    })
  }
}

test('a scan leaves nothing of the scan before it', () => {
  const found = new PublishProperties()
  const block = Buffer.from('2300010200000001', 'hex')
  scanPublishProperties(block, 0, block.length, found)
  assert.equal(found.aliasAt, 0)
  scanPublishProperties(block, 0, 0, found)
  assert.deepEqual(found, new PublishProperties())
})

/** The reader of the rare packets, with what a client must not send on top. */
function readAsServer(block: Uint8Array, kind: 'publish' | 'will'): Scanned {
  const properties = readBlock(block, kind)
  if (properties.subscriptionIdentifiers !== undefined) throw new ProtocolError(0x82, 'not from a client')
  const { topicAlias, messageExpiryInterval, willDelayInterval } = properties
  const hex = (interval: number | undefined) => interval?.toString(16).padStart(8, '0') ?? ''
  return {
    topicAlias: topicAlias ?? 0,
    alias: topicAlias === undefined ? '' : `23${topicAlias.toString(16).padStart(4, '0')}`,
    expirySeconds: messageExpiryInterval ?? -1,
    expiry: hex(messageExpiryInterval),
    delaySeconds: willDelayInterval ?? 0,
    delay: willDelayInterval === undefined ? '' : `18${hex(willDelayInterval)}`,
  }
}

function outcome<Result>(of: () => Result): Result | 'refused' {
  try {
    return of()
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String(error))
    return 'refused'
  }
}

for (const kind of ['publish', 'will'] as const) {
  test(`the scan of a ${kind} agrees with the reader of all other packets, on good properties and on bad ones`, () => {
    const good = propertiesOf(kind).map(blockOf)
    const bad = damaged(good)
    const noise = fc.uint8Array({ maxLength: 30 }).map((some) => Buffer.from(some))
    fc.assert(
      fc.property(fc.oneof(good, bad, noise), (block) => {
        assert.deepEqual(
          outcome(() => scan(block, kind)),
          outcome(() => readAsServer(block, kind)),
        )
      }),
      { numRuns: 1_000 },
    )
  })
}
