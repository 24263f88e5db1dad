import { createReadStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { MqttArguments } from './mqtt-arguments.ts'

/** What is to be sent, one after the other. */
export type Bodies = Iterable<Buffer> | AsyncIterable<Buffer>

/**
 * What is to be sent, from the one source that the options name: lines as they come, all else read to its end.
 * @throws DamselflyError `USAGE`, `VALUE_INVALID`
 */
export async function bodiesOf(given: MqttArguments): Promise<Bodies> {
  const sources = ['-m', '-f', '-l', '-s', '-n'].filter((name) => given.has(name))
  if (sources.length !== 1)
    throw new DamselflyError(
      'USAGE',
      'give one of -m MESSAGE, -f FILE, -l (lines of standard input), -s (all of it), -n (empty)',
    )
  const file = given.last('-f')
  if (given.has('-l')) return linesOf(process.stdin)
  if (given.has('-s')) return [await wholeOf(process.stdin, 'standard input')]
  if (file !== undefined) return [await wholeOf(createReadStream(file), file)]
  return [Buffer.from(given.last('-m') ?? '')]
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
