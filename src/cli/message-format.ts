import type { Arrival } from '../client/connection.ts'
import { DamselflyError } from '../core/errors.ts'

/** A part of what is printed of a message. */
type Piece = (message: Arrival, at: Date) => string | Uint8Array

const escapes: Readonly<Record<string, string>> = {
  '\\': '\\',
  '0': '\0',
  a: '\x07',
  e: '\x1b',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
}

/** `%x` and its like: what stands for it. Those of MQTT 5 are empty when the connection does not speak it. */
const parameters: Readonly<Record<string, Piece>> = {
  '%': () => '%',
  t: ({ topic }) => topic,
  p: ({ bytes }) => bytes,
  l: ({ bytes }) => String(bytes.length),
  q: ({ qos }) => String(qos),
  r: ({ retain }) => (retain ? '1' : '0'),
  m: ({ packetId }) => String(packetId),
  x: ({ bytes }) => Buffer.from(bytes).toString('hex'),
  X: ({ bytes }) => Buffer.from(bytes).toString('hex').toUpperCase(),
  I: (_message, at) => `${localTime(at)}${zone(at)}`,
  U: (_message, at) => `${Math.floor(at.getTime() / 1_000)}.${milliseconds(at)}000000`,
  j: (message, at) => asJson(message, at, textAsJson(message)),
  J: jsonAsJson,
  A: ({ properties }) => shown(properties?.topicAlias),
  C: ({ properties }) => shown(properties?.contentType),
  D: ({ properties }) => properties?.correlationData ?? '',
  E: ({ properties }) => shown(properties?.messageExpiryInterval),
  F: ({ properties }) => shown(properties?.payloadFormatIndicator),
  P: ({ properties }) =>
    userProperties(properties)
      .map(([name, value]) => `${name}:${value}`)
      .join(' '),
  R: ({ properties }) => shown(properties?.responseTopic),
  S: ({ properties }) => shown(properties?.subscriptionIdentifier),
}
const padded = new Set('ACEFIlmpRStxX')
const zeroPadded = new Set('lmxX')
const cut = new Set('CIRt')

/**
 * Prints messages to standard output as mosquitto_sub(1) does: the payload as it is and a line end, with the topic before
 * it when `verbose`, or by a format.
 * @throws DamselflyError `USAGE` for a format that means nothing
 */
export async function messagePrinter(options: PrintOptions): Promise<(message: Arrival) => void> {
  const { verbose, format, hasLineEnd = true, isPretty = false } = options
  const lineEnd = hasLineEnd ? '\n' : ''
  if (format === undefined) return (message) => printPlain(message, verbose, lineEnd)
  const pieces = (await piecesOf(format)).map((piece) => (isPretty ? prettied(piece) : piece))
  return (message) => {
    const at = new Date()
    write([...pieces.map((piece) => piece(message, at)), lineEnd])
  }
}

export interface PrintOptions {
  readonly verbose: boolean
  readonly format?: string
  /** True unless told. */
  readonly hasLineEnd?: boolean
  /** JSON over several lines; false unless told. */
  readonly isPretty?: boolean
}

/** @NOTE without -v an empty message leaves no trace, not even a line end; with it, it is `(null)`. So does the model. */
function printPlain({ topic, bytes }: Arrival, verbose: boolean, lineEnd: string): void {
  if (bytes.length > 0) write([verbose ? `${topic} ` : '', bytes, lineEnd])
  else if (verbose) write([`${topic} (null)${lineEnd}`])
}

/** @NOTE a pipe that nobody reads does not hold this back, and it piles up: whoever prints asks for `writableNeedDrain`. */
function write(parts: readonly (string | Uint8Array)[]): void {
  process.stdout.write(
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))),
  )
}

const tokens = /%([-0]*)(\d{0,4})(?:\.(\d{1,4}))?(.?)|@(.?)|\\(.?)|[^%@\\]+/gsu

async function piecesOf(format: string): Promise<Piece[]> {
  const strftime = format.includes('@') ? (await import('strftime')).default : undefined
  return [...format.matchAll(tokens)].map(([text, flags = '', width, most, parameter, time, escaped]) => {
    if (parameter !== undefined) {
      const piece = Object.hasOwn(parameters, parameter) ? parameters[parameter] : undefined
      if (piece === undefined) throw unknown(text, `%${Object.keys(parameters).join(', %')}`)
      return fitted(piece, parameter, flags, Number(width), most === undefined ? undefined : Number(most))
    }
    if (time === '@') return () => '@'
    if (time === 'N') return (_message, at) => `${milliseconds(at)}000000`
    if (time !== undefined) {
      if (time === '') throw unknown(text, '@Y, @H and so on, as of strftime')
      return (_message, at) => strftime?.(`%${time}`, at) ?? ''
    }
    if (escaped === undefined) return () => text
    const character = escapes[escaped]
    if (character === undefined) throw unknown(text, `\\${Object.keys(escapes).join(', \\')}`)
    return () => character
  })
}

function fitted(
  piece: Piece,
  parameter: string,
  flags: string,
  width: number,
  most: number | undefined,
): Piece {
  if (!padded.has(parameter) || (width === 0 && most === undefined)) return piece
  const isLeft = flags.includes('-')
  const filler = flags.includes('0') && !isLeft && zeroPadded.has(parameter) ? '0' : ' '
  return (message, at) => {
    const whole = piece(message, at)
    const value =
      typeof whole === 'string' && most !== undefined && cut.has(parameter) ? whole.slice(0, most) : whole
    const padding = filler.repeat(Math.max(0, width - value.length))
    const parts = isLeft ? [value, padding] : [padding, value]
    return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
  }
}

/** What is a JSON object is laid out as mosquitto_sub does: tabs, and lists in one line. */
function prettied(piece: Piece): Piece {
  return (message, at) => {
    const value = piece(message, at)
    if (typeof value !== 'string' || !value.startsWith('{"tst":')) return value
    return laidOut(JSON.parse(value), 1)
  }
}

function laidOut(value: unknown, depth: number): string {
  if (Array.isArray(value)) return `[${value.map((item) => laidOut(item, depth + 1)).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const tabs = '\t'.repeat(depth)
  const lines = Object.entries(value).map(
    ([key, item]) => `${tabs}${JSON.stringify(key)}:\t${laidOut(item, depth + 1)}`,
  )
  return `{\n${lines.join(',\n')}${lines.length === 0 ? '' : '\n'}${tabs.slice(1)}}`
}

function unknown(found: string, expected: string): DamselflyError {
  return new DamselflyError('USAGE', `-F does not know "${found}"; it knows ${expected}`)
}

function textAsJson({ bytes }: Arrival): string {
  return bytes.length === 0 ? 'null' : JSON.stringify(Buffer.from(bytes).toString())
}

function jsonAsJson(message: Arrival, at: Date): string {
  const text = Buffer.from(message.bytes).toString().trim()
  try {
    if (text !== '') JSON.parse(text)
    return asJson(message, at, text === '' ? 'null' : text)
  } catch {
    console.error(`Error: Message payload is not valid JSON on topic ${message.topic}.`)
    return ''
  }
}

function asJson(message: Arrival, at: Date, payload: string): string {
  const { topic, qos, retain, bytes, packetId } = message
  const tst = `${localTime(at)}.${milliseconds(at)}000${zone(at)}`
  const mid = qos > 0 ? { mid: packetId } : {}
  const about = {
    tst,
    topic,
    qos,
    retain: retain ? 1 : 0,
    payloadlen: bytes.length,
    ...mid,
    ...propertiesAsJson(message),
  }
  return `${JSON.stringify(about).slice(0, -1)},"payload":${payload}}`
}

/** How MQTT.js calls a property, how mosquitto_sub does. */
const propertyNames: Readonly<Record<string, string>> = {
  payloadFormatIndicator: 'payload-format-indicator',
  messageExpiryInterval: 'message-expiry-interval',
  contentType: 'content-type',
  responseTopic: 'response-topic',
  correlationData: 'correlation-data',
  topicAlias: 'topic-alias',
  subscriptionIdentifier: 'subscription-identifier',
  userProperties: 'user-properties',
}

function propertiesAsJson({ properties }: Arrival): object {
  const told = Object.entries(properties ?? {}).flatMap(([key, value]) => {
    const name = propertyNames[key]
    if (name === undefined) return []
    if (key === 'userProperties') return [[name, Object.fromEntries(userProperties(properties))]]
    if (value instanceof Uint8Array) return [[name, Buffer.from(value).toString()]]
    return [[name, typeof value === 'boolean' ? Number(value) : value]]
  })
  return told.length === 0 ? {} : { properties: Object.fromEntries(told) }
}

function userProperties(properties: Arrival['properties']): [name: string, value: string][] {
  return Object.entries(properties?.userProperties ?? {}).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [name, value]),
  )
}

function shown(value: string | number | boolean | readonly number[] | undefined): string {
  if (value === undefined) return ''
  if (Array.isArray(value)) return shown(value[0])
  return typeof value === 'boolean' ? String(Number(value)) : String(value)
}

/** `2016-08-10T09:47:38`, in local time. */
function localTime(at: Date): string {
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}

/** `+0100` */
function zone(at: Date): string {
  const minutes = -at.getTimezoneOffset()
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
  return `${minutes < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}${String(rest).padStart(2, '0')}`
}

function milliseconds(at: Date): string {
  return String(at.getMilliseconds()).padStart(3, '0')
}
