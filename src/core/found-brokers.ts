import { isIPv4, isIPv6 } from 'node:net'
import { type DnsMessage, type DnsQuestion, type DnsRecord, isSameName } from './dns-message.ts'
import { limits } from './limits.ts'
import { isOnLink, type LinkAddress } from './multicast-socket.ts'
import { readTxt, serviceTypes } from './service-names.ts'

/** A broker as it tells of itself on the network: nobody has checked it. */
export interface FoundBroker {
  /** As its owner calls it; may have any character in it. */
  readonly name: string
  /** The name of its host, mostly `NAME.local`. */
  readonly host: string
  readonly port: number
  readonly isSecure: boolean
  /** Those in a network of ours first, IPv4 first; at least one. */
  readonly addresses: readonly string[]
  readonly version: string | undefined
}

interface Instance {
  readonly name: string
  readonly isSecure: boolean
  where: { readonly target: string; readonly port: number } | undefined
  txt: ReadonlyMap<string, string>
}

const addressesPerHostMax = 16

/** Puts together what several answers say of brokers; bounded by `brokersFoundMax`. */
export class FoundBrokers {
  readonly #links: readonly LinkAddress[]
  /** By the whole name, in lower case. */
  readonly #instances = new Map<string, Instance>()
  /** By the name of the host, in lower case. */
  readonly #addresses = new Map<string, Set<string>>()

  constructor(links: readonly LinkAddress[]) {
    this.#links = links
  }

  get list(): FoundBroker[] {
    const found: FoundBroker[] = []
    for (const { name, isSecure, where, txt } of this.#instances.values()) {
      if (where === undefined) continue
      const addresses = this.#usable(where.target)
      if (addresses.length === 0) continue
      found.push({
        name: txt.get('name') ?? name,
        host: where.target,
        port: where.port,
        isSecure,
        addresses,
        version: txt.get('v'),
      })
    }
    return found.sort((one, other) => one.name.localeCompare(other.name) || one.port - other.port)
  }

  /** What is still to be asked for. */
  get missing(): readonly DnsQuestion[] {
    const questions: DnsQuestion[] = []
    for (const [name, { where }] of this.#instances) {
      if (where === undefined) questions.push({ name, type: 'SRV' }, { name, type: 'TXT' })
      else if (!this.#addresses.has(where.target.toLowerCase()))
        questions.push({ name: where.target, type: 'A' })
    }
    return questions
  }

  add({ isResponse, answers, additionals }: DnsMessage): void {
    if (!isResponse) return
    const records = [...answers, ...additionals]
    for (const record of records) if (record.type === 'PTR') this.#addInstance(record)
    for (const record of records) if (record.type !== 'PTR') this.#addAbout(record)
  }

  #addInstance(record: DnsRecord): void {
    if (record.type !== 'PTR') return
    const isSecure = isSameName(record.name, serviceTypes.secure)
    if (!isSecure && !isSameName(record.name, serviceTypes.plain)) return
    const key = record.data.toLowerCase()
    if (record.ttl === 0) return void this.#instances.delete(key)
    const type = isSecure ? serviceTypes.secure : serviceTypes.plain
    if (!key.endsWith(`.${type}`) || this.#instances.has(key)) return
    if (this.#instances.size >= limits.brokersFoundMax) return
    const name = record.data.slice(0, -type.length - 1)
    this.#instances.set(key, { name, isSecure, where: undefined, txt: new Map() })
  }

  #addAbout(record: DnsRecord): void {
    const key = record.name.toLowerCase()
    const instance = this.#instances.get(key)
    if (record.type === 'SRV' && instance !== undefined && record.data.port > 0)
      instance.where = record.ttl === 0 ? undefined : record.data
    if (record.type === 'TXT' && instance !== undefined && record.ttl > 0) instance.txt = readTxt(record.data)
    if (record.type !== 'A' && record.type !== 'AAAA') return
    const known = this.#addresses.get(key) ?? new Set<string>()
    if (record.ttl === 0) known.delete(record.data)
    else if (known.size < addressesPerHostMax) known.add(record.data)
    if (this.#addresses.size < limits.brokersFoundMax || this.#addresses.has(key))
      this.#addresses.set(key, known)
  }

  /** Nobody may send us to this machine itself, or to all machines. */
  #usable(host: string): string[] {
    const all = [...(this.#addresses.get(host.toLowerCase()) ?? [])]
    const isNear = (address: string): boolean => this.#links.some((link) => isOnLink(address, link))
    const four = all.filter((address) => isIPv4(address) && !/^(0|127|22[4-9]|2[3-5]\d)\./.test(address))
    const six = all.filter((address) => isIPv6(address) && /^[2-3f][0-9a-d]/i.test(address))
    return [...four.filter(isNear), ...four.filter((address) => !isNear(address)), ...six]
  }
}
