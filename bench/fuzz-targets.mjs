// What the fuzz feeds: each target takes bytes, returns whether they were read, and throws when something is wrong with us.
import assert from 'node:assert/strict'
import { decodeAuth, decodeDisconnect, readAck } from '../dist/broker/wire/acknowledgements.js'
import { decodeConnect } from '../dist/broker/wire/connect.js'
import { readProperties } from '../dist/broker/wire/properties.js'
import { ProtocolError } from '../dist/broker/wire/protocol-error.js'
import {
  PublishProperties,
  scanPublishProperties,
  scanWillProperties,
} from '../dist/broker/wire/publish-properties.js'
import { Reader } from '../dist/broker/wire/reader.js'
import { decodeSubscribe, decodeUnsubscribe } from '../dist/broker/wire/subscribe.js'
import { putVarint, varintSize } from '../dist/broker/wire/varint.js'

const before = 40
const after = 80
const surroundings = Buffer.alloc(before + after + 4_096)

/** Every target by its name; `npm run fuzz` runs all of them on every input. */
export const targets = [
  ['CONNECT', decoder(decodeConnect)],
  ['SUBSCRIBE of 3.1.1', decoder((all, start, end) => decodeSubscribe(all, start, end, false))],
  ['SUBSCRIBE of 5', decoder((all, start, end) => decodeSubscribe(all, start, end, true))],
  ['UNSUBSCRIBE of 3.1.1', decoder((all, start, end) => decodeUnsubscribe(all, start, end, false))],
  ['UNSUBSCRIBE of 5', decoder((all, start, end) => decodeUnsubscribe(all, start, end, true))],
  ['PUBACK', decoder((all, start, end) => readAck(4, all, start, end, true))],
  ['PUBREL', decoder((all, start, end) => readAck(6, all, start, end, true))],
  ['DISCONNECT', decoder((all, start, end) => decodeDisconnect(all, start, end, true))],
  ['AUTH', decoder(decodeAuth)],
  ['properties of PUBLISH', (input) => agreed(input, 'publish', scanPublishProperties)],
  ['properties of a will', (input) => agreed(input, 'will', scanWillProperties)],
]

/** Reads the input where zeros surround it and where ones do: whoever looks at them is found out. */
function decoder(decode) {
  return (input) => {
    const [zeros, ones] = [0x00, 0xff].map((byte) => outcomeAmong(input, byte, decode))
    assert.deepEqual(zeros, ones, 'bytes outside have been looked at')
    return zeros.refusal === undefined
  }
}

function outcomeAmong(input, byte, decode) {
  surroundings.fill(byte, 0, before + input.length + after)
  surroundings.set(input, before)
  return outcomeOf(() => decode(surroundings, before, before + input.length))
}

function outcomeOf(decode) {
  try {
    return { value: decode() }
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return { refusal: error.reasonCode }
  }
}

/** The scan of the hot path and the reader of the rare packets must see the same. */
function agreed(input, bearer, scan) {
  const found = new PublishProperties()
  const scanned = outcomeAmong(input, 0xff, (all, start, end) => scan(all, start, end, found))
  const read = outcomeOf(() => readBlock(input, bearer))
  const isForServers = read.value?.subscriptionIdentifiers !== undefined // [MQTT-3.3.4-6]
  assert.equal(
    scanned.refusal === undefined,
    read.refusal === undefined && !isForServers,
    'they do not agree',
  )
  if (scanned.refusal !== undefined) return false
  assert.equal(found.topicAlias, read.value.topicAlias ?? 0)
  assert.equal(found.messageExpiryInterval, read.value.messageExpiryInterval ?? -1)
  assert.equal(found.willDelayInterval, read.value.willDelayInterval ?? 0)
  return true
}

function readBlock(input, bearer) {
  const size = varintSize(input.length)
  const block = Buffer.alloc(size + input.length)
  block.set(input, putVarint(block, 0, input.length))
  return readProperties(new Reader().reset(block, 0, block.length), bearer)
}
