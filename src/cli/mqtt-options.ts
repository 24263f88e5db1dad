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
import type { MqttArguments } from './mqtt-arguments.ts'
import { termsOf } from './mqtt-terms.ts'
import { asksForTls, transportOf } from './mqtt-transport.ts'
import { reportWarnings } from './report.ts'

/** A broker of this house, and what it lets us in with. */
interface HouseBroker {
  /** Without a name and a password. */
  readonly url: string
  readonly credentials: { readonly username: string; readonly password?: Secret | undefined } | undefined
}

/** What was named on the command line: by `-h`, or all at once by `-L`. */
interface Named {
  readonly broker: BrokerAddress
  readonly webSocketPath: string | undefined
  /** `-L` has it at its end. */
  readonly topic: string | undefined
  readonly hasPort: boolean
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

export interface Target {
  readonly broker: BrokerAddress
  readonly clientId: string
  /** From `-L`. */
  readonly topic: string | undefined
}

/**
 * The broker that the options mean. Without `-h` it is the one of the settings; its name and password go to nobody else:
 * not to another machine, and not to another port of this one.
 * @throws DamselflyError `USAGE`
 */
export async function brokerOf(given: MqttArguments): Promise<Target> {
  const clientId = idOf(given)
  const username = given.last('-u')
  const password = given.last('-P')
  if (password !== undefined && username === undefined) throw usage('-P needs -u beside it')
  const version = versionOf(given)
  const named = namedIn(given)
  const port = given.wholeNumber('-p', 1, 65_535)
  const place = await placeOf(given, named, port)
  if (place.search !== undefined && (asksForTls(given) || ['-A', '-S'].some((name) => given.has(name))))
    throw usage('-h auto finds out by itself where the broker is and whether it speaks TLS: name it instead')
  const transport = await transportOf(given, { ...place, webSocketPath: named?.webSocketPath })
  const terms = { ...termsOf(given, version, clientId), ...(transport === undefined ? {} : { transport }) }
  return { broker: { ...place, protocolVersion: version, terms }, clientId, topic: named?.topic }
}

/** @throws DamselflyError `USAGE` */
export function qosOf(given: MqttArguments, name = '-q'): QoS {
  const text = given.last(name) ?? '0'
  if (text === '0' || text === '1' || text === '2') return Number(text) as QoS
  throw usage(`${name} is 0, 1 or 2, not "${text}"`)
}

async function placeOf(
  given: MqttArguments,
  named: Named | undefined,
  port: number | undefined,
): Promise<BrokerAddress> {
  const login = { username: given.last('-u'), password: given.last('-P') }
  if (given.has('--unix')) return parseBrokerAddress('127.0.0.1', login)
  const withPort = (broker: BrokerAddress): BrokerAddress => {
    const isSecure = broker.isSecure || asksForTls(given)
    const isUsual = isSecure && !broker.isSecure && named?.hasPort !== true && broker.port === 1_883
    return { ...broker, isSecure, port: port ?? (isUsual ? 8_883 : broker.port) }
  }
  if (named !== undefined && (named.broker.search !== undefined || !isThisMachine(named.broker.host)))
    return withPort(named.broker)
  const house = await houseBroker()
  const { username, password } = house.credentials ?? {}
  const own = parse('BROKER_URL', house.url, { username, password: password?.reveal() })
  if (named === undefined && own.search !== undefined)
    return login.username === undefined ? own : parse('BROKER_URL', house.url, login)
  const broker = withPort(named?.broker ?? parse('BROKER_URL', house.url, login))
  const isHere = named === undefined || isThisMachine(own.host)
  const isHouse = isHere && broker.port === own.port && broker.username === undefined
  return isHouse ? { ...broker, username: own.username, password: own.password } : broker
}

function namedIn(given: MqttArguments): Named | undefined {
  const login = { username: given.last('-u'), password: given.last('-P') }
  const url = given.last('-L')
  if (url !== undefined) {
    const { address, path } = dividedUrl('-L', url)
    const [, topic] = /^\/(.+)$/s.exec(path) ?? []
    if (topic === undefined) throw usage(`-L has no topic: ${shown(url)}; expected mqtt://HOST/TOPIC`)
    return namedBy('-L', address, login, topic, '/mqtt')
  }
  const host = given.last('-h')
  if (host === undefined) return undefined
  if (!/^wss?:/i.test(host)) return namedBy('-h', host, login, undefined, undefined)
  const { address, path } = dividedUrl('-h', host)
  return namedBy('-h', address, login, undefined, path === '' || path === '/' ? '/mqtt' : path)
}

function namedBy(
  option: string,
  address: string,
  login: { readonly username: string | undefined; readonly password: string | undefined },
  topic: string | undefined,
  path: string | undefined,
): Named {
  const isWebSocket = /^wss?:/i.test(address)
  const broker = parse(option, address.replace(/^ws/i, 'mqtt'), login)
  const hasPort = /:\d+$/.test(address)
  const usualPort = broker.isSecure ? 443 : 80
  return {
    broker: isWebSocket && !hasPort ? { ...broker, port: usualPort } : broker,
    webSocketPath: isWebSocket ? path : undefined,
    topic,
    hasPort: hasPort || isWebSocket,
  }
}

/** The path is no part of an address, and may have any character of a topic in it. */
function dividedUrl(option: string, url: string): { address: string; path: string } {
  const [, scheme, authority, path = ''] = /^((?:mqtt|ws)s?:\/\/)([^/]*)(\/.*)?$/is.exec(url) ?? []
  if (scheme === undefined)
    throw usage(`${option}: expected mqtt://, mqtts://, ws:// or wss://, not ${shown(url)}`)
  return { address: `${scheme}${authority}`, path }
}

function parse(
  option: string,
  url: string,
  login: { readonly username?: string | undefined; readonly password?: string | undefined },
): BrokerAddress {
  try {
    return parseBrokerAddress(url, login)
  } catch (cause) {
    throw new DamselflyError('USAGE', `${option}: ${reasonOf(cause)}`, { cause })
  }
}

/** Without what stands before an @. */
function shown(url: string): string {
  return `"${url.replace(/^(.*:\/\/)?.*@/s, '$1…@')}"`
}

function idOf(given: MqttArguments): string {
  const id = given.last('-i')
  const prefix = given.last('-I')
  if (id !== undefined && prefix !== undefined) throw usage('give one of -i and -I')
  if (id === '') throw usage('-i is empty; leave it out to have an id made up')
  if (id === undefined && given.has('-c'))
    throw usage('-c needs -i beside it: the session is kept under this id')
  return id ?? (prefix === undefined ? madeUpId() : `${prefix}${process.pid}`)
}

function versionOf(given: MqttArguments): ProtocolVersion {
  if (given.properties.length > 0) return 5
  const text = given.last('-V')
  if (text === undefined) return given.tool === 'rr' ? 5 : 4
  const version = protocolVersions.get(text.toLowerCase())
  if (version !== undefined) return version
  throw usage(`-V is mqttv31, mqttv311 or mqttv5, not "${text}"`)
}

/** The `.env` that may have a name and a password for this broker, and may not be read. */
export async function unreadCredentials(given: MqttArguments): Promise<string | undefined> {
  if (given.has('-u') || given.has('--unix')) return undefined
  const named = namedIn(given)
  if (named !== undefined && (named.broker.username !== undefined || !isThisMachine(named.broker.host)))
    return undefined
  const { cwd } = await findHouse({ cwd: process.cwd() })
  const file = join(cwd, '.env')
  return (await isForbidden(file)) ? file : undefined
}

/** Where the settings say that the broker is: here, or elsewhere by `BROKER_URL`. */
async function houseBroker(): Promise<HouseBroker> {
  const house = await findHouse({ cwd: process.cwd() })
  const { scalars, problems } = await readSafeScalars({ ...house, isTerminal: false })
  // without them an anonymous client may still be welcome; `unreadCredentials` is for who is not
  if (!(await isForbidden(join(house.cwd, '.env')))) reportWarnings(problems)
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

function usage(message: string): DamselflyError {
  return new DamselflyError('USAGE', message)
}
