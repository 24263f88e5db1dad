import { DamselflyError } from './errors.ts'
import type { FoundBroker } from './found-brokers.ts'

/** A broker that is not named by an address, but looked for on the network. */
export interface WantedBroker {
  /** As its owner calls it (`NAME`); undefined: the only one there is. */
  readonly name: string | undefined
  /** Never without TLS, whatever is found. */
  readonly isSecureOnly: boolean
}

/** Where it was found. */
export interface BrokerPlace {
  readonly host: string
  readonly port: number
  readonly isSecure: boolean
  /** What its certificate must be for. */
  readonly servername: string
}

export interface SearchLimits {
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

const timeoutMsDefault = 4_000
/** Others that answer later than this are not taken into account: a search takes no longer when one has answered. */
const graceMs = 1_000
/** With a name only that one counts; its other listeners answer with it, or nearly. */
const namedGraceMs = 150

/**
 * Reads `auto`, `auto:NAME`, `auto-tls` and `auto-tls:NAME`.
 * @returns undefined when it is none of them
 */
export function parseSearch(text: string): WantedBroker | undefined {
  const match = /^auto(-tls)?(?::(.+))?$/is.exec(text)
  return match === null ? undefined : { name: match[2], isSecureOnly: match[1] !== undefined }
}

/**
 * Looks for a broker, anew before each connection, so that one whose address has changed is found again. Once one was
 * found it is that one, by its name, for as long as this object lives.
 */
export class BrokerSearch {
  readonly wanted: WantedBroker
  readonly #isSecurePreferred: boolean
  #place: BrokerPlace | undefined
  #name: string | undefined

  /** @param hasPassword whether a password would be sent: it goes over TLS where the broker offers TLS at all */
  constructor(wanted: WantedBroker, hasPassword: boolean) {
    this.wanted = wanted
    this.#isSecurePreferred = hasPassword || wanted.isSecureOnly
    this.#name = wanted.name
  }

  /** As it is written in the settings. */
  get text(): string {
    const { name, isSecureOnly } = this.wanted
    return `auto${isSecureOnly ? '-tls' : ''}${name === undefined ? '' : `:${name}`}`
  }

  /** Where it was found last. */
  get place(): BrokerPlace | undefined {
    return this.#place
  }

  /**
   * Where it is now; where it was last, if nobody answers.
   * @throws DamselflyError `BROKER_UNREACHABLE`: nobody answers, or several, and none is named
   */
  async locate({ timeoutMs = timeoutMsDefault, signal }: SearchLimits = {}): Promise<BrokerPlace> {
    const wanted = { ...this.wanted, name: this.#name, isSecurePreferred: this.#isSecurePreferred }
    const { findBrokers } = await import('./find-brokers.ts')
    const found = await findBrokers({
      timeoutMs: Math.min(timeoutMs, timeoutMsDefault),
      graceMs: wanted.name === undefined ? graceMs : namedGraceMs,
      isEnough: (brokers) => candidatesOf(brokers, wanted).length > 0,
      ...(signal === undefined ? {} : { signal }),
    })
    if (candidatesOf(found, wanted).length === 0 && this.#place !== undefined) return this.#place
    const chosen = chooseBroker(found, wanted)
    this.#name = chosen.name
    this.#place = {
      host: chosen.addresses[0] as string,
      port: chosen.port,
      isSecure: chosen.isSecure,
      servername: chosen.host,
    }
    return this.#place
  }
}

/**
 * The one that is meant. Pure.
 * @throws DamselflyError `BROKER_UNREACHABLE`, which tells those that there are
 */
export function chooseBroker(
  found: readonly FoundBroker[],
  wanted: WantedBroker & { readonly isSecurePreferred: boolean },
): FoundBroker {
  const candidates = candidatesOf(found, wanted)
  const hosts = new Set(candidates.map(({ name, host }) => `${name} ${host}`.toLowerCase()))
  if (hosts.size > 1)
    throw new DamselflyError(
      'BROKER_UNREACHABLE',
      `several brokers answer on this network: ${listed(candidates)}; write auto:NAME with the name of one, or an address`,
    )
  const plain = candidates.find(({ isSecure }) => !isSecure)
  const secure = candidates.find(({ isSecure }) => isSecure)
  const chosen = wanted.isSecurePreferred ? (secure ?? plain) : (plain ?? secure)
  if (chosen !== undefined) return chosen
  const meant = wanted.name === undefined ? 'no broker' : `no broker named "${wanted.name}"`
  const how = wanted.isSecureOnly ? ' that speaks TLS' : ''
  const others = found.length === 0 ? '' : `; there are ${listed(found)}`
  throw new DamselflyError(
    'BROKER_UNREACHABLE',
    `${meant}${how} answers on this network${others}; is it on, and in the same network? ` +
      'damselfly discover lists all; an address does without',
  )
}

/** A name that only a certificate of the house can be for: no public authority signs for `.local`. */
function candidatesOf(found: readonly FoundBroker[], { name, isSecureOnly }: WantedBroker): FoundBroker[] {
  return found.filter(
    (broker) =>
      (name === undefined || broker.name.toLowerCase() === name.toLowerCase()) &&
      (!isSecureOnly || broker.isSecure) &&
      (!broker.isSecure || /^[\w-]+\.local$/i.test(broker.host)),
  )
}

function listed(brokers: readonly FoundBroker[]): string {
  const shown = brokers.slice(0, 10).map(({ name, addresses, port, isSecure }) => {
    // what strangers say of themselves must not move a cursor
    const plain = name.replaceAll(/[^\p{L}\p{N}\p{P}\p{Zs}\p{S}]/gu, '?').slice(0, 64)
    return `${plain} (${addresses[0]} port ${port}${isSecure ? ', TLS' : ''})`
  })
  return shown.join(', ') + (brokers.length > shown.length ? ' and others' : '')
}
