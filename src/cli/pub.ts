import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { Client, type StateListener } from '../client/client.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { topicProblem } from '../core/topics.ts'
import { answerMs, brokerOf, type MqttOptions, qosOf } from './mqtt-options.ts'

export interface PubOptions extends MqttOptions {
  readonly topic: string
  readonly qos: string
  readonly retain?: boolean
  readonly message?: string
  readonly file?: string
  readonly stdinLine?: boolean
  readonly stdinFile?: boolean
  readonly nullMessage?: boolean
}

/** So much of standard input may be on its way before the broker's answer is awaited. */
const linesMax = 1_000
const lineBytesMax = 1024 * 1024

/**
 * Publishes what the options say, and resolves when the broker has it (QoS 0: when it is written).
 * @throws DamselflyError `USAGE`, `BROKER_UNREACHABLE`, `CONNECTION_REFUSED`, `TIMED_OUT`, `VALUE_INVALID`
 */
export async function pub(options: PubOptions): Promise<void> {
  const { topic, retain = false } = options
  const problem = topicProblem(topic)
  if (problem !== undefined) throw new DamselflyError('USAGE', `-t "${topic}" is not a topic: ${problem}`)
  const how = { qos: qosOf(options.qos), retain }
  const onState: StateListener = (state, reason) => {
    if (state === 'reconnecting') console.error(`damselfly: ${reason?.message}; trying again`)
  }
  const bodies = await bodiesOf(options)
  const client = await Client.open({ ...(await brokerOf(options)), onState }, answerMs)
  let last = Promise.resolve()
  try {
    let lines = 0
    let bytes = 0
    for await (const body of bodies) {
      lines++
      bytes += body.length
      if (lines > linesMax || bytes > lineBytesMax) {
        await last // they are sent in order
        lines = 1
        bytes = body.length
      }
      last = client.send(topic, body, how)
      last.catch(() => {}) // it is awaited later
    }
  } finally {
    await Promise.all([last, client.close({ timeout: answerMs })])
  }
}

/** The one source that the options name: lines as they come, all else read to its end. @throws DamselflyError `USAGE` */
async function bodiesOf(options: PubOptions): Promise<Iterable<Buffer> | AsyncIterable<Buffer>> {
  const { message, file, stdinLine = false, stdinFile = false, nullMessage = false } = options
  const sources = [message !== undefined, file !== undefined, stdinLine, stdinFile, nullMessage]
  if (sources.filter(Boolean).length !== 1)
    throw new DamselflyError(
      'USAGE',
      'give one of -m MESSAGE, -f FILE, -l (lines of standard input), -s (all of it), -n (empty)',
    )
  if (stdinLine) return linesOf(process.stdin)
  if (stdinFile) return [await wholeOf(process.stdin, 'standard input')]
  if (file !== undefined) return [await wholeOf(createReadStream(file), file)]
  return [Buffer.from(message ?? '')]
}

async function wholeOf(input: Readable, name: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of input) {
      bytes += chunk.length
      if (bytes > limits.clientOutgoingBytesMax) throw tooLong(name)
      chunks.push(chunk)
    }
  } catch (cause) {
    if (cause instanceof DamselflyError) throw cause
    throw new DamselflyError('VALUE_INVALID', `${name} cannot be read: ${reasonOf(cause)}`, { cause })
  }
  return Buffer.concat(chunks)
}

/** Bytes between line ends; a carriage return belongs to its line, as with mosquitto_pub. */
async function* linesOf(input: Readable): AsyncGenerator<Buffer> {
  let begun: Buffer[] = []
  let bytes = 0
  for await (const chunk of input as AsyncIterable<Buffer>) {
    let start = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      yield Buffer.concat([...begun, chunk.subarray(start, end)])
      begun = []
      bytes = 0
      start = end + 1
    }
    begun.push(chunk.subarray(start))
    bytes += chunk.length - start
    if (bytes > limits.clientOutgoingBytesMax) throw tooLong('a line')
  }
  if (bytes > 0) yield Buffer.concat(begun)
}

function tooLong(what: string): DamselflyError {
  return new DamselflyError(
    'VALUE_INVALID',
    `${what} is longer than ${limits.clientOutgoingBytesMax} bytes, which is too much for one message`,
  )
}
