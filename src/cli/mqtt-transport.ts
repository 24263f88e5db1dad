import { lookup, resolveSrv } from 'node:dns/promises'
import { readdir, readFile } from 'node:fs/promises'
import { connect as connectTcp, isIP } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { systemAuthorities } from '../core/broker-socket.ts'
import { pemTexts } from '../core/der.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import type { MqttArguments } from './mqtt-arguments.ts'

/** Where to, as far as it is known: a name or an address; IPv6 without brackets. */
export interface Destination {
  readonly host: string
  readonly port: number
  readonly isSecure: boolean
  /** MQTT over WebSocket, at this path. */
  readonly webSocketPath?: string | undefined
}

const tlsVersions = { 'tlsv1.3': 'TLSv1.3', 'tlsv1.2': 'TLSv1.2', 'tlsv1.1': 'TLSv1.1' } as const

/** Whether TLS is asked for, by an option that is about authorities or keys. */
export function asksForTls(given: MqttArguments): boolean {
  return ['--cafile', '--capath', '--tls-use-os-certs', '--psk'].some((name) => given.has(name))
}

/**
 * How to reach the broker, when the options say more than where it is; undefined when they do not.
 * @throws DamselflyError `USAGE`; also for files that cannot be read
 */
export async function transportOf(
  given: MqttArguments,
  destination: Destination,
): Promise<(() => Promise<Duplex>) | undefined> {
  checkTls(given)
  const path = given.last('--unix')
  if (path !== undefined) {
    refuse(given, [...tlsTerms, '-A', '-S'], 'says nothing of a Unix socket: leave it out')
    return async () => connectTcp({ path })
  }
  const { isSecure, webSocketPath } = destination
  const isPlain = !isSecure && webSocketPath === undefined && !given.has('-A') && !given.has('-S')
  if (!isSecure) refuse(given, tlsTerms, 'needs TLS: --cafile, --capath or --tls-use-os-certs asks for it')
  if (!given.has('-h') && !given.has('-L')) refuse(given, ['-S'], 'needs -h beside it')
  const hasTlsTerms = tlsTerms.some((name) => given.has(name))
  if (
    isPlain ||
    (isSecure && webSocketPath === undefined && !hasTlsTerms && !given.has('-A') && !given.has('-S'))
  )
    return undefined
  const terms = isSecure ? await tlsOptionsOf(given) : {}
  const from = given.last('-A')
  const localAddress = from === undefined ? {} : { localAddress: await addressOf(from) }
  return async () => {
    const { host, port } = given.has('-S') ? await lookedUp(destination) : destination
    const where = { host, port, noDelay: true, ...localAddress }
    if (webSocketPath !== undefined)
      return await webSocket({ ...destination, host, port }, { ...terms, ...localAddress })
    if (!isSecure) return connectTcp(where)
    const { connect } = await import('node:tls')
    return connect({ ...where, ...terms, ...(isIP(host) === 0 ? { servername: host } : {}) })
  }
}

const tlsTerms = [
  '--cafile',
  '--capath',
  '--tls-use-os-certs',
  '--cert',
  '--key',
  '--ciphers',
  '--tls-version',
  '--tls-alpn',
  '--insecure',
  '--psk',
]

function refuse(given: MqttArguments, names: readonly string[], why: string): void {
  const name = names.find((one) => given.has(one))
  if (name !== undefined) throw usage(`${name} ${why}`)
}

function checkTls(given: MqttArguments): void {
  if (given.has('--cert') !== given.has('--key')) throw usage('--cert and --key go together')
  if (given.has('--keyform') && !given.has('--key')) throw usage('--keyform needs --key beside it')
  const form = given.last('--keyform')
  if (form !== undefined && form !== 'pem') throw usage(`--keyform ${form} cannot be had: it is pem`)
  if (given.has('--psk') && (given.has('--cafile') || given.has('--capath')))
    throw usage('give one of --psk and --cafile or --capath')
  if (given.has('--psk') !== given.has('--psk-identity')) throw usage('--psk and --psk-identity go together')
  const key = given.last('--psk')
  if (key !== undefined && !/^([0-9a-f]{2})+$/i.test(key)) throw usage('--psk is a key in hexadecimal')
  const version = given.last('--tls-version')
  if (version !== undefined && !Object.hasOwn(tlsVersions, version))
    throw usage(`--tls-version is ${Object.keys(tlsVersions).join(', ')}, not "${version}"`)
}

async function tlsOptionsOf(given: MqttArguments): Promise<TlsOptions> {
  const { createSecureContext, rootCertificates } = await import('node:tls')
  const named = tlsVersions[given.last('--tls-version') as keyof typeof tlsVersions] as
    | 'TLSv1.3'
    | 'TLSv1.2'
    | 'TLSv1.1'
    | undefined
  const key = given.last('--psk')
  const version = named ?? (key === undefined ? undefined : 'TLSv1.2') // Node speaks no shared keys in TLS 1.3
  const ciphers = given.last('--ciphers') ?? (key === undefined ? undefined : 'PSK')
  const authorities = [
    ...(given.has('--cafile') ? [await textOf('--cafile', given.last('--cafile') as string)] : []),
    ...(given.has('--capath') ? await textsIn(given.last('--capath') as string) : []),
  ]
  const ownCertificate = given.last('--cert')
  const ownKey = given.last('--key')
  const context = {
    ca:
      authorities.length > 0
        ? authorities
        : [...rootCertificates, await readFile(systemAuthorities, 'utf8').catch(() => '')].filter(Boolean),
    ...(ownCertificate === undefined ? {} : { cert: await textOf('--cert', ownCertificate) }),
    ...(ownKey === undefined ? {} : { key: await textOf('--key', ownKey) }),
    ...(ciphers === undefined ? {} : { ciphers }),
    ...(version === undefined ? {} : { minVersion: version, maxVersion: version }),
  }
  try {
    createSecureContext(context)
  } catch (cause) {
    throw new DamselflyError('USAGE', `these TLS options do not go together: ${reasonOf(cause)}`, { cause })
  }
  const protocol = given.last('--tls-alpn')
  const identity = given.last('--psk-identity') as string
  return {
    ...context,
    ...(protocol === undefined ? {} : { ALPNProtocols: [protocol] }),
    // the chain is checked all the same
    ...(given.has('--insecure') || key !== undefined ? { checkServerIdentity: () => undefined } : {}),
    ...(key === undefined ? {} : { pskCallback: () => ({ psk: Buffer.from(key, 'hex'), identity }) }),
  }
}

async function webSocket(
  { host, port, isSecure, webSocketPath = '' }: Destination,
  options: TlsOptions & { readonly localAddress?: string },
): Promise<Duplex> {
  const { WebSocket, createWebSocketStream } = await import('ws')
  const name = host.includes(':') ? `[${host}]` : host
  const url = `${isSecure ? 'wss' : 'ws'}://${name}:${port}${webSocketPath}`
  return createWebSocketStream(new WebSocket(url, ['mqtt'], options)) // [MQTT-6.0.0-3]
}

/** By SRV record; the one with the lowest priority and the greatest weight. */
async function lookedUp({ host, port, isSecure }: Destination): Promise<{ host: string; port: number }> {
  const records = await resolveSrv(`${isSecure ? '_secure-mqtt' : '_mqtt'}._tcp.${host}`).catch((cause) => {
    throw new DamselflyError('BROKER_UNREACHABLE', `-S: no SRV record for ${host}: ${reasonOf(cause)}`, {
      cause,
    })
  })
  const [best] = records.sort((one, other) => one.priority - other.priority || other.weight - one.weight)
  return best === undefined ? { host, port } : { host: best.name, port: best.port }
}

async function addressOf(name: string): Promise<string> {
  if (isIP(name) !== 0) return name
  try {
    return (await lookup(name)).address
  } catch (cause) {
    throw new DamselflyError('USAGE', `-A: ${name} is no address: ${reasonOf(cause)}`, { cause })
  }
}

async function textsIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new DamselflyError('USAGE', `--capath: ${folder} cannot be read: ${reasonOf(cause)}`, { cause })
  })
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8').catch(() => '')))
  const authorities = texts.filter((text) => pemTexts(text, 'CERTIFICATE').length > 0)
  if (authorities.length === 0) throw usage(`--capath: there is no certificate in ${folder}`)
  return authorities
}

async function textOf(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new DamselflyError('USAGE', `${option}: ${file} cannot be read: ${reasonOf(cause)}`, { cause })
  }
}

function usage(message: string): DamselflyError {
  return new DamselflyError('USAGE', message)
}
