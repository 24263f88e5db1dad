import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { formatDuration } from '../core/units.ts'
import { type BrokerAddress, shownAddress } from './broker-address.ts'

/** What stands in CONNACK (MQTT 3.1.1, table 3.1; MQTT 5, table 3-1), where trying again is of no use. */
const refusals: ReadonlyMap<number, readonly [reason: string, remedy: string]> = new Map([
  ...either(1, 0x84, 'it does not speak this version of MQTT', 'let it accept this version'),
  ...either(2, 0x85, 'it does not accept the client id', 'give another clientId'),
  ...either(
    4,
    0x86,
    'wrong user name or password',
    'use those that the broker knows (MQTT_USERNAME and MQTT_PASSWORD in its .env)',
  ),
  ...either(
    5,
    0x87,
    'not authorised',
    'give username and password (MQTT_USERNAME and MQTT_PASSWORD in the .env of the broker)',
  ),
])
const unavailable = 3

const causes: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there; is the broker running, and on this address (BIND)?',
  ENOTFOUND: 'no machine has this name; check the spelling, or use the IP address',
  EAI_AGAIN: 'the name cannot be looked up now; is there a network?',
  EHOSTUNREACH: 'no machine answers at this address; is it on, and in the same network?',
  ENETUNREACH: 'there is no route to this address; is there a network?',
  ETIMEDOUT: 'no answer; is the machine on, and does a firewall let the port through?',
  ECONNRESET: 'it broke the connection off',
  EPIPE: 'it broke the connection off',
}

function either(code: number, codeOfMqtt5: number, reason: string, remedy: string) {
  return [
    [code, [reason, remedy]],
    [codeOfMqtt5, [reason, remedy]],
  ] as const
}

/** Why there is no connection: what MQTT.js and the socket said, as something a person can put right. */
export function explainFailure(error: Error, broker: BrokerAddress): DamselflyError {
  if (error instanceof DamselflyError) return error
  const code = (error as { code?: unknown }).code
  if (typeof code === 'number') return explainRefusal(code, error, broker)
  const errno = errnoOf(error)
  if (errno === undefined)
    return unreachable(broker, `what answers does not speak MQTT (${reasonOf(error)}); check the port`, error)
  return unreachable(broker, causes[errno] ?? `${reasonOf(error)} (${errno})`, error)
}

/** `timeoutMs` have passed without CONNACK. */
export function noAnswer(broker: BrokerAddress, timeoutMs: number, hasAnswered: boolean): DamselflyError {
  const within = `within ${formatDuration(timeoutMs)}`
  return unreachable(
    broker,
    hasAnswered
      ? `it accepts the connection, but does not answer ${within}; is it a broker, and is it well?`
      : `no answer ${within}; is the machine on, and does a firewall let the port through?`,
  )
}

/** The other side ended the connection before it had answered. */
export function closedEarly(broker: BrokerAddress): DamselflyError {
  const question = broker.isSecure ? '' : ', and does it want TLS (--cafile, or mqtts://)'
  return unreachable(broker, `it ended the connection without an answer; is it an MQTT broker${question}?`)
}

/** A connection that stood is over; without a cause the other side ended it. */
export function connectionLost(broker: BrokerAddress, cause: Error | undefined): DamselflyError {
  const why = cause === undefined ? 'it was ended there' : reasonOf(cause)
  const options = cause === undefined ? {} : { cause }
  return new DamselflyError(
    'BROKER_UNREACHABLE',
    `connection to ${shownAddress(broker)} lost: ${why}`,
    options,
  )
}

/** We ended the connection, rather than hold such a packet in memory. */
export function tooLarge(broker: BrokerAddress, bytes: number): DamselflyError {
  return new DamselflyError(
    'LIMIT_REACHED',
    `connection to ${shownAddress(broker)} ended: it sent a packet of ${bytes} bytes, and we take ` +
      `${limits.packetBytesMax} at the most; remove that message, if it is retained, or ask for fewer topics`,
    { limit: 'packetBytesMax' },
  )
}

function explainRefusal(code: number, cause: Error, broker: BrokerAddress): DamselflyError {
  const [reason, remedy] = refusals.get(code) ?? []
  const where = shownAddress(broker)
  if (reason !== undefined)
    return new DamselflyError('CONNECTION_REFUSED', `the broker at ${where} refused: ${reason}; ${remedy}`, {
      cause,
    })
  return unreachable(
    broker,
    code === unavailable ? 'it is not ready yet' : `it refused with code ${code}`,
    cause,
  )
}

function unreachable(broker: BrokerAddress, why: string, cause?: Error): DamselflyError {
  const options = cause === undefined ? {} : { cause }
  return new DamselflyError('BROKER_UNREACHABLE', `no broker at ${shownAddress(broker)}: ${why}`, options)
}
