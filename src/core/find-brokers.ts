import { networkInterfaces } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DnsMessage, encodeMessage } from './dns-message.ts'
import { DamselflyError, reasonOf } from './errors.ts'
import { type FoundBroker, FoundBrokers } from './found-brokers.ts'
import { type LinkAddress, MulticastSocket } from './multicast-socket.ts'
import { serviceTypes } from './service-names.ts'

export interface FindOptions {
  /** How long to listen for answers. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
  /** Asked at each answer: whether there is no need to wait for others. Not before they had `graceMs`. */
  readonly isEnough?: (found: readonly FoundBroker[]) => boolean
  /** How long others may take to answer, at least; 0 unless told. */
  readonly graceMs?: number
}

/** When it is asked, again and again, for multicast gets lost; what was just told is not told again within a second. */
const askAtMs = [0, 300, 1_200, 3_000, 6_000, 12_000, 24_000]
const linksMax = 16

/**
 * Asks the networks of this machine for MQTT brokers, and listens. Nothing is checked, anybody may answer anything.
 * @throws DamselflyError `BROKER_UNREACHABLE` when there is no network, or it cannot be asked; what `signal` aborts with
 */
export async function findBrokers(options: FindOptions): Promise<FoundBroker[]> {
  const { timeoutMs, signal, isEnough = () => false, graceMs = 0 } = options
  const links = linksOf()
  if (links.length === 0) throw unreachable('this machine has no network', undefined)
  const found = new FoundBrokers(links)
  const beganMs = performance.now()
  const done = new AbortController()
  const look = (): void => {
    const waitMs = beganMs + graceMs - performance.now()
    if (waitMs > 0) setTimeout(look, waitMs).unref()
    else if (isEnough(found.list)) done.abort()
  }
  const sockets = await openAll(links, (message) => {
    found.add(message)
    look()
  })
  const isOver = AbortSignal.any([done.signal, AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])])
  try {
    for (const atMs of askAtMs) {
      const waitMs = beganMs + atMs - performance.now()
      if (waitMs > 0) await sleep(waitMs, undefined, { signal: isOver })
      const questions = [
        ...Object.values(serviceTypes).map((name) => ({ name, type: 'PTR' })),
        ...found.missing,
      ]
      const bytes = encodeMessage({ questions })
      for (const socket of sockets) void socket.send(bytes)
    }
    await sleep(timeoutMs, undefined, { signal: isOver })
  } catch (error) {
    if (!isOver.aborted) throw error
  } finally {
    for (const socket of sockets) socket[Symbol.dispose]()
  }
  signal?.throwIfAborted()
  return found.list
}

async function openAll(
  links: readonly LinkAddress[],
  onMessage: (message: DnsMessage) => void,
): Promise<MulticastSocket[]> {
  const sockets: MulticastSocket[] = []
  let failure: unknown
  const onError = (): void => {} // it is asked again, and others may answer
  for (const link of links) {
    const parts = { link, onMessage, onError }
    try {
      // somebody may hold the port for himself: then answers come to a port of ours
      sockets.push(await MulticastSocket.open(parts).catch(() => MulticastSocket.open({ ...parts, port: 0 })))
    } catch (error) {
      failure = error
    }
  }
  if (sockets.length === 0) throw unreachable(`the network cannot be asked (${reasonOf(failure)})`, failure)
  return sockets
}

/** One IPv4 address of each interface. */
function linksOf(): LinkAddress[] {
  const links: LinkAddress[] = []
  for (const infos of Object.values(networkInterfaces()))
    for (const { family, internal, address, netmask } of infos ?? [])
      if (family === 'IPv4' && !internal) links.push({ address, netmask })
  return links.slice(0, linksMax)
}

function unreachable(why: string, cause: unknown): DamselflyError {
  return new DamselflyError('BROKER_UNREACHABLE', `no broker can be looked for: ${why}`, { cause })
}
