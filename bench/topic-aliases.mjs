// Topic aliases of MQTT 5, as a client uses them, and the few properties that it must read for that.

const topicAlias = 0x23
const topicAliasMaximumId = 0x22
/** Bytes of a property's value: a number, or how it is found. [MQTT 5, 2.2.2.2] */
const sizes = {
  1: 1,
  2: 4,
  3: 'text',
  8: 'text',
  9: 'text',
  11: 'variable',
  17: 4,
  18: 'text',
  19: 2,
  21: 'text',
  22: 'text',
  26: 'text',
  28: 'text',
  31: 'text',
  33: 2,
  34: 2,
  35: 2,
  36: 1,
  37: 1,
  38: 'pair',
  39: 4,
  40: 1,
  41: 1,
  42: 1,
}

/** Of one connection and direction: which topic each alias stands for. */
export class PublishTopics {
  #max
  #aliases = new Map()
  #topics = new Map()

  /** @param max how many aliases may be used */
  constructor(max) {
    this.#max = max
  }

  /** @returns the name to send, and the properties that say so */
  shorten(topic) {
    const known = this.#aliases.get(topic)
    if (known !== undefined) return { name: '', properties: [topicAlias, known >> 8, known & 255] }
    if (this.#aliases.size >= this.#max) return { name: topic, properties: [] }
    const alias = this.#aliases.size + 1
    this.#aliases.set(topic, alias)
    return { name: topic, properties: [topicAlias, alias >> 8, alias & 255] }
  }

  /** @returns the topic that was meant, and where the payload begins */
  lengthen(name, body, at) {
    const { alias, end } = readProperties(body, at)
    if (alias === undefined) return { topic: name, from: end }
    if (name !== '') this.#topics.set(alias, name)
    const topic = this.#topics.get(alias)
    if (topic === undefined || alias > this.#max) throw new Error(`topic alias ${alias} was never set`)
    return { topic, from: end }
  }
}

/** Of a CONNACK of MQTT 5, its body. */
export function topicAliasMaximum(connack) {
  return connack.length < 3 ? 0 : (readProperties(connack, 2).maximum ?? 0)
}

function readProperties(body, from) {
  const block = variable(body, from)
  const end = block.end + block.value
  const found = { end }
  for (let at = block.end; at < end; ) {
    const id = body[at++]
    if (id === topicAlias) found.alias = body.readUInt16BE(at)
    if (id === topicAliasMaximumId) found.maximum = body.readUInt16BE(at)
    at = valueEnd(body, at, sizes[id])
  }
  return found
}

function valueEnd(body, at, size) {
  if (size === 'variable') return variable(body, at).end
  if (size === 'text') return at + 2 + body.readUInt16BE(at)
  if (size === 'pair') return valueEnd(body, valueEnd(body, at, 'text'), 'text')
  if (size === undefined) throw new Error('a property that MQTT 5 does not know')
  return at + size
}

/** Variable Byte Integer. */
function variable(body, from) {
  let value = 0
  for (let at = from, shift = 0; ; shift += 7) {
    const byte = body[at++]
    value |= (byte & 127) << shift
    if (byte < 128) return { value, end: at }
  }
}
