import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { DamselflyError, errnoOf } from '../core/errors.ts'
import { parseBrokerAddress } from './broker-address.ts'
import { Client, type StateListener } from './client.ts'
import { type Duration, millisecondsOf, onlyKnown } from './options.ts'

export interface ConnectOptions {
  /** Goes before the one in the URL, as does `password`. */
  readonly username?: string
  readonly password?: string
  /** By which the broker knows this program; two at once with the same id throw each other out. Made up unless told. */
  readonly clientId?: string
  /** How long the first connection may take; 10 s unless told. */
  readonly timeout?: Duration
  /** Called at each later change between connected, reconnecting and closed, with the reason. */
  readonly onState?: StateListener
}

const timeoutMsDefault = 10_000

/**
 * Connects to an MQTT broker, and rejects when that does not succeed at once, or within the time limit.
 * @param url `mqtt://[NAME:PASSWORD@]HOST[:PORT]`, `mqtts://…` for TLS, `HOST` or `HOST:PORT`; `auto`, the one that is
 *   found on the network, `auto:NAME`, the one of that name, `auto-tls`, never without TLS. Unless told it is the broker of
 *   this machine, and if nothing listens here at port 1883, `auto`.
 * @throws DamselflyError `BROKER_UNREACHABLE` (nobody there, no route, no answer in time, none or several found),
 *   `CONNECTION_REFUSED` (wrong password, not authorised, client id), `OPTIONS_INVALID`, `DURATION_INVALID`
 */
export async function connect(url?: string, options: ConnectOptions = {}): Promise<Client> {
  if (url !== undefined && typeof url !== 'string')
    throw new DamselflyError('OPTIONS_INVALID', 'connect expects a URL, then options')
  onlyKnown('connect', options, ['username', 'password', 'clientId', 'timeout', 'onState'])
  const { username, password, clientId = madeUpId(), timeout = timeoutMsDefault, onState } = options
  if (clientId === '')
    throw new DamselflyError('OPTIONS_INVALID', 'clientId is empty; leave it out to have one made up')
  const open = (place: string): Promise<Client> => {
    const broker = parseBrokerAddress(place, { username, password })
    return Client.open({ broker, clientId, onState }, millisecondsOf(timeout))
  }
  if (url !== undefined) return await open(url)
  try {
    return await open('mqtt://127.0.0.1:1883')
  } catch (error) {
    if (!(error instanceof DamselflyError) || errnoOf(error.cause) !== 'ECONNREFUSED') throw error
    return await open('auto')
  }
}

/** At most 23 letters, digits and dashes, which every broker accepts, or nearly [MQTT-3.1.3-5]; names the machine. */
export function madeUpId(): string {
  const host = hostname()
    .replaceAll(/[^0-9A-Za-z]+/g, '-')
    .slice(0, 14)
  return `${host}-${randomBytes(4).toString('hex')}`
}
