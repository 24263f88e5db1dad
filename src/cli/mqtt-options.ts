import { access, constants } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { type BrokerAddress, type ProtocolVersion, parseBrokerAddress } from '../client/broker-address.ts'
import { madeUpId } from '../client/connect.ts'
import { findHouse } from '../config/house.ts'
import { readSafeScalars } from '../config/read-safe-scalars.ts'
import type { Bind } from '../core/bind.ts'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import type { QoS } from '../core/message.ts'
import type { Secret } from '../core/secret.ts'
import { ownAddressCheck } from '../system/own-addresses.ts'
import { reportWarnings } from './report.ts'

/** What `pub` and `sub` share: which broker, and as whom. */
export interface MqttOptions {
  readonly host?: string
  readonly port?: string
  readonly username?: string
  readonly pw?: string
  readonly id?: string
  readonly protocolVersion?: string
}

/** A broker of this house, and what it lets us in with. */
interface HouseBroker {
  /** Without a name and a password. */
  readonly url: string
  readonly credentials: { readonly username: string; readonly password?: Secret | undefined } | undefined
}

/** As mosquitto_pub(1) writes them, each with the number of its protocol [MQTT-3.1.2.2]. */
const protocolVersions: ReadonlyMap<string, ProtocolVersion> = new Map([
  ['mqttv31', 3],
  ['31', 3],
  ['mqttv311', 4],
  ['311', 4],
  ['mqttv5', 5],
  ['5', 5],
])

/** Time for the broker's answer to a connection. */
export const answerMs = 10_000

/**
 * The broker that the options mean. Without `-h` it is the one of the settings; its name and password go to nobody else:
 * not to another machine, and not to another port of this one.
 * @throws DamselflyError `USAGE`
 */
export async function brokerOf(options: MqttOptions): Promise<{ broker: BrokerAddress; clientId: string }> {
  const clientId = options.id ?? madeUpId()
  if (clientId === '') throw new DamselflyError('USAGE', '-i is empty; leave it out to have an id made up')
  if (options.pw !== undefined && options.username === undefined)
    throw new DamselflyError('USAGE', '-P needs -u beside it')
  const version = options.protocolVersion === undefined ? {} : versionOf(options.protocolVersion)
  const parse = (host: string) =>
    usage(() => ({
      ...parseBrokerAddress(host, { username: options.username, password: options.pw }),
      ...version,
    }))
  const named = options.host === undefined ? undefined : parse(options.host)
  const port = options.port === undefined ? undefined : portOf(options.port)
  if (named !== undefined && !isThisMachine(named.host))
    return { broker: { ...named, port: port ?? named.port }, clientId }
  const house = await houseBroker(options.username === undefined)
  const own = parse(house.url)
  const meant = named ?? own
  const broker = { ...meant, port: port ?? meant.port }
  const isHere = named === undefined || isThisMachine(own.host)
  const isHouse = isHere && broker.port === own.port && broker.username === undefined
  return { broker: isHouse ? { ...broker, ...house.credentials } : broker, clientId }
}

/** @throws DamselflyError `USAGE` */
export function qosOf(text: string): QoS {
  if (text === '0' || text === '1' || text === '2') return Number(text) as QoS
  throw new DamselflyError('USAGE', `-q is 0, 1 or 2, not "${text}"`)
}

/** Where the settings say that the broker is: here, or elsewhere by `BROKER_URL`. */
async function houseBroker(needsCredentials: boolean): Promise<HouseBroker> {
  const house = await findHouse({ cwd: process.cwd() })
  const file = join(house.cwd, '.env')
  const isSecret = await isForbidden(file)
  const { scalars, problems } = await readSafeScalars({ ...house, isTerminal: false })
  if (!isSecret) reportWarnings(problems)
  else if (needsCredentials)
    console.error(
      `damselfly: ${file} may not be read: going on without a name and a password (sudo, or -u and -P, gives them)`,
    )
  const { remote, bind, port, credentials } = scalars
  if (remote !== undefined) return { url: remote.url, credentials: remote.credentials }
  return { url: `mqtt://${hostOf(bind)}:${port}`, credentials }
}

/** Where on this machine a broker with this `BIND` can be reached. */
function hostOf(binds: readonly Bind[]): string {
  const hasLoopback = binds.some(({ kind }) => kind !== 'address' && kind !== 'interface')
  const address = binds.find((bind) => bind.kind === 'address')
  const host = hasLoopback || address === undefined ? '127.0.0.1' : address.address
  return host.includes(':') ? `[${host}]` : host
}

async function isForbidden(file: string): Promise<boolean> {
  try {
    await access(file, constants.R_OK)
    return false
  } catch (error) {
    return errnoOf(error) === 'EACCES'
  }
}

function isThisMachine(host: string): boolean {
  const names = ['localhost', hostname(), `${hostname()}.local`]
  return names.includes(host.toLowerCase()) || ownAddressCheck()(host)
}

function versionOf(text: string): { readonly protocolVersion: ProtocolVersion } {
  const protocolVersion = protocolVersions.get(text.toLowerCase())
  if (protocolVersion !== undefined) return { protocolVersion }
  throw new DamselflyError('USAGE', `-V is mqttv31, mqttv311 or mqttv5, not "${text}"`)
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (port >= 1 && port <= 65_535) return port
  throw new DamselflyError('USAGE', `-p is a port from 1 to 65535, not "${text}"`)
}

function usage<Value>(parse: () => Value): Value {
  try {
    return parse()
  } catch (cause) {
    throw new DamselflyError('USAGE', `-h: ${reasonOf(cause)}`, { cause })
  }
}
