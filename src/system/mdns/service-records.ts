import { type DnsQuestion, type DnsRecord, isSameName } from '../../core/dns-message.ts'
import {
  allTypes,
  hostLabel,
  instanceLabel,
  otherLabel,
  serviceTypes,
  txtPart,
} from '../../core/service-names.ts'

/** What is told of this machine on one link. */
export interface Advertisement {
  /** Damselfly's name. */
  readonly name: string
  readonly version: string
  readonly services: readonly AdvertisedService[]
  /** Where they are reached on this link; IPv6 without zones. */
  readonly addresses: readonly string[]
}

export interface AdvertisedService {
  readonly isSecure: boolean
  readonly port: number
  /** Added to the name: of several of one kind each has to have its own. */
  readonly suffix: string
}

/** How often somebody else was found to have the name already, plus one. */
export interface Attempts {
  readonly instance: number
  readonly host: number
}

/** RFC 6762 §10: what depends on the host two minutes, all else 75. */
const hostTtl = 120
const otherTtl = 4_500

/** Of what we tell, by whose it is. */
export interface ServiceRecords {
  /** Others may tell some as well. */
  readonly shared: readonly DnsRecord[]
  /** Ours alone: the services. */
  readonly instances: readonly DnsRecord[]
  /** The addresses of the host. */
  readonly host: readonly DnsRecord[]
}

export function recordsOf(ad: Advertisement, attempts: Attempts): ServiceRecords {
  const hostName = `${hostLabel(ad.name)}${attempts.host === 1 ? '' : `-${attempts.host}`}.local`
  const shared: DnsRecord[] = []
  const instances: DnsRecord[] = []
  for (const { isSecure, port, suffix } of ad.services) {
    const type = isSecure ? serviceTypes.secure : serviceTypes.plain
    const own = suffix === '' ? ad.name : `${ad.name} ${suffix}`
    const name = `${otherLabel(instanceLabel(own), attempts.instance)}.${type}`
    shared.push({ name: type, type: 'PTR', ttl: otherTtl, data: name })
    const isFirst = !shared.some(({ name: known, data }) => known === allTypes && data === type)
    if (isFirst) shared.push({ name: allTypes, type: 'PTR', ttl: otherTtl, data: type })
    const txt = [txtPart('txtvers', '1'), txtPart('v', ad.version), txtPart('name', own)]
    instances.push(
      { name, type: 'SRV', ttl: hostTtl, flush: true, data: { target: hostName, port } },
      { name, type: 'TXT', ttl: otherTtl, flush: true, data: txt },
    )
  }
  const host = ad.addresses.map((address): DnsRecord => {
    const type = address.includes(':') ? 'AAAA' : 'A'
    return { name: hostName, type, ttl: hostTtl, flush: true, data: address }
  })
  return { shared, instances, host }
}

/** Which of the records answer a question. Pure. */
export function answersTo({ name, type }: DnsQuestion, records: readonly DnsRecord[]): DnsRecord[] {
  return records.filter((record) => (type === 'ANY' || type === record.type) && isSameName(record.name, name))
}

/** What whoever gets these answers will ask for next (RFC 6763 §12). Pure. */
export function additionalsTo(answers: readonly DnsRecord[], records: readonly DnsRecord[]): DnsRecord[] {
  const wanted = new Set(answers.flatMap(namesIn))
  const direct = records.filter(({ name }) => wanted.has(name.toLowerCase()))
  for (const name of direct.flatMap(namesIn)) wanted.add(name)
  return records.filter((record) => wanted.has(record.name.toLowerCase()) && !answers.includes(record))
}

function namesIn(record: DnsRecord): string[] {
  if (record.type === 'PTR') return [record.data.toLowerCase()]
  return record.type === 'SRV' ? [record.data.target.toLowerCase()] : []
}
