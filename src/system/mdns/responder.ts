import type { RemoteInfo } from 'node:dgram'
import type { Counters } from '../../core/counters.ts'
import {
  type DnsMessage,
  type DnsRecord,
  encodeMessage,
  isSameName,
  isSameRecord,
} from '../../core/dns-message.ts'
import { errnoOf } from '../../core/errors.ts'
import { type LinkAddress, MulticastSocket, mdnsPort } from '../../core/multicast-socket.ts'
import type { SentPackets } from './sent-packets.ts'
import {
  type Advertisement,
  additionalsTo,
  answersTo,
  recordsOf,
  type ServiceRecords,
} from './service-records.ts'

export interface ResponderOptions {
  readonly link: LinkAddress
  readonly counters: Counters
  /** Shared by all responders of the process, which hear each other. */
  readonly sent: SentPackets
  readonly isOwnAddress: (address: string) => boolean
  /** Told once for each other name that is taken because somebody on the network has ours. */
  readonly onRenamed: (names: { readonly wanted: string; readonly taken: string }) => void
  readonly onError: (error: Error) => void
  /** How long it is silent after somebody has taken every name; a minute unless told. */
  readonly restMs?: number
}

const probes = 3
const probeMs = 250
/** After a conflict, so that of two that want a name at the same moment one is first. */
const conflictPauseMsMax = 2_000
/** After so many in a row somebody takes names as fast as we ask for them (RFC 6762 §8.1). */
const attemptsMax = 15
const usualRestMs = 60_000
/** RFC 6762 §6: others that share a record may answer as well. */
const answerMsMin = 20
const answerMsMax = 120
/** A record is told to all at most once in this time. */
const repeatMs = 1_000
/** Who asks from another port is no full peer: he is to ask again soon (RFC 6762 §6.7). */
const legacyTtl = 10

/** The network is gone for the moment: who follows it comes back with another responder. */
const passing = new Set(['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'ENETDOWN', 'ENODEV', 'EINVAL'])

/**
 * Tells one link of our services, and answers those that ask: RFC 6762 and 6763, as far as a few services need it.
 *
 * The names are asked for before they are taken; who has one already keeps it. The name of the host may be told by
 * avahi-daemon on this machine as well: then it is left to tell it, for two that tell one name of a machine would fight
 * for it.
 */
export class Responder {
  readonly #options: ResponderOptions
  readonly #toldAtMs = new Map<DnsRecord, number>()
  readonly #due = new Set<DnsRecord>()
  #socket: MulticastSocket | undefined
  #ad: Advertisement
  #attempts = { instance: 1, host: 1 }
  #records: ServiceRecords
  #state: 'probing' | 'telling' | 'silent' = 'silent'
  #isHostOurs = true
  #timer: NodeJS.Timeout | undefined
  #answering: NodeJS.Timeout | undefined

  constructor(ad: Advertisement, options: ResponderOptions) {
    this.#ad = ad
    this.#options = options
    this.#records = recordsOf(ad, this.#attempts)
  }

  /** @throws what the system says when the network cannot be used in this way */
  async start(): Promise<void> {
    const { link, counters, onError } = this.#options
    this.#socket = await MulticastSocket.open({
      link,
      counters,
      onMessage: (message, from, bytes) => this.#heard(message, from, bytes),
      onError: (error) => {
        if (!passing.has(errnoOf(error) ?? '')) onError(error)
      },
    })
    this.#probe(Math.random() * probeMs)
  }

  /** Tells something else from now on, and takes back what is not true any more. */
  async apply(ad: Advertisement): Promise<void> {
    const before = this.#told
    this.#ad = ad
    this.#isHostOurs = true // if not, it is told again
    this.#rebuild()
    const gone = before.filter((record) => !this.#told.some((now) => isSameRecord(now, record)))
    if (this.#state === 'telling') await this.#takeBack(gone)
    this.#probe(0)
  }

  /** Takes everything back. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    clearTimeout(this.#answering)
    if (this.#state === 'telling') await this.#takeBack(this.#told)
    this.#state = 'silent'
    this.#socket?.[Symbol.dispose]()
  }

  /** What we answer for. */
  get #told(): DnsRecord[] {
    const { shared, instances, host } = this.#records
    return [...shared, ...instances, ...(this.#isHostOurs ? host : [])]
  }

  get #unique(): DnsRecord[] {
    return this.#told.filter(({ flush }) => flush === true)
  }

  #rebuild(): void {
    this.#records = recordsOf(this.#ad, this.#attempts)
    this.#toldAtMs.clear()
    this.#due.clear()
  }

  /** RFC 6762 §8.1: asks whether anybody has the names, and what he says of them. */
  #probe(afterMs: number): void {
    clearTimeout(this.#timer)
    this.#state = 'probing'
    let sent = 0
    const next = (): void => {
      if (sent++ === probes) return this.#announce(2)
      const names = [...new Set(this.#unique.map(({ name }) => name))]
      this.#send({ questions: names.map((name) => ({ name, type: 'ANY' })), authorities: this.#unique })
      this.#timer = setTimeout(next, probeMs).unref()
    }
    this.#timer = setTimeout(next, afterMs).unref()
  }

  #announce(times: number): void {
    this.#state = 'telling'
    this.#tell(this.#told)
    if (times > 1) this.#timer = setTimeout(() => this.#announce(times - 1), repeatMs).unref()
  }

  #heard(message: DnsMessage, from: RemoteInfo, bytes: Buffer): void {
    if (this.#options.sent.has(bytes)) return
    if (message.isResponse) {
      // RFC 6762 §11: answers come from this port
      if (from.port === mdnsPort) this.#compare([...message.answers, ...message.additionals], from)
    } else if (this.#state === 'telling') this.#answer(message, from)
  }

  /** Whether somebody else tells something of our names. */
  #compare(records: readonly DnsRecord[], from: RemoteInfo): void {
    const { isOwnAddress } = this.#options
    const { instances, host } = this.#records
    for (const record of records) {
      if (record.ttl === 0) continue
      const ofHost = host.some(({ name }) => isSameName(name, record.name))
      if (ofHost && (record.type === 'A' || record.type === 'AAAA')) {
        if (isOwnAddress(from.address)) this.#isHostOurs = false
        else if (!isOwnAddress(record.data) && this.#isHostOurs) return this.#giveWay('host')
      }
      const rivals = instances.filter(
        ({ name, type }) => type === record.type && isSameName(name, record.name),
      )
      if (rivals.length > 0 && !rivals.some((own) => isSameRecord(own, record)))
        return this.#giveWay('instance')
    }
  }

  /** While it only wanted the name it takes another one; one that it has told it asks for once more. */
  #giveWay(what: 'instance' | 'host'): void {
    const wasTold = this.#state === 'telling'
    if (!wasTold) {
      const wanted = this.#nameOf(what)
      if (this.#attempts[what] >= attemptsMax) return this.#rest(wanted)
      this.#attempts[what]++
      this.#rebuild()
      this.#options.onRenamed({ wanted, taken: this.#nameOf(what) })
    }
    this.#probe(Math.random() * (wasTold ? conflictPauseMsMax : probeMs))
  }

  /** Somebody takes each name, by mistake or to silence us: it begins anew, with the first name, when that is over. */
  #rest(name: string): void {
    clearTimeout(this.#timer)
    this.#state = 'silent'
    const { onError, restMs = usualRestMs } = this.#options
    onError(new Error(`somebody on the network takes each name, last ${name}: trying again later`))
    this.#timer = setTimeout(() => {
      this.#attempts = { instance: 1, host: 1 }
      this.#rebuild()
      this.#probe(0)
    }, restMs).unref()
  }

  #nameOf(what: 'instance' | 'host'): string {
    const { instances, host } = this.#records
    return (what === 'host' ? host[0]?.name : instances[0]?.name) ?? ''
  }

  #answer(query: DnsMessage, from: RemoteInfo): void {
    const told = this.#told
    const answers = new Set(query.questions.flatMap((question) => answersTo(question, told)))
    for (const record of answers) {
      const isKnown = query.answers.some(
        (known) => known.ttl >= record.ttl / 2 && isSameRecord(known, record),
      )
      if (isKnown) answers.delete(record)
    }
    if (answers.size === 0) return
    if (from.port !== mdnsPort) return this.#answerOne([...answers], query, from)
    const isProbe = query.authorities.length > 0
    const nowMs = performance.now()
    for (const record of answers)
      if (isProbe || nowMs - (this.#toldAtMs.get(record) ?? Number.NEGATIVE_INFINITY) >= repeatMs)
        this.#due.add(record)
    if (isProbe) return this.#tellDue()
    const delayMs = answerMsMin + Math.random() * (answerMsMax - answerMsMin)
    this.#answering ??= setTimeout(() => this.#tellDue(), delayMs).unref()
  }

  #tellDue(): void {
    clearTimeout(this.#answering)
    this.#answering = undefined
    const due = [...this.#due]
    this.#due.clear()
    if (due.length > 0 && this.#state === 'telling') this.#tell(due)
  }

  #answerOne(answers: readonly DnsRecord[], { id, questions }: DnsMessage, to: RemoteInfo): void {
    const plain = ({ ttl, ...record }: DnsRecord): DnsRecord =>
      ({ ...record, ttl: Math.min(ttl, legacyTtl), flush: false }) as DnsRecord
    const additionals = this.#additionalsTo(answers).map(plain)
    const known = questions.slice(0, answers.length)
    this.#send({ id, isResponse: true, questions: known, answers: answers.map(plain), additionals }, to)
  }

  #tell(answers: readonly DnsRecord[]): void {
    const nowMs = performance.now()
    for (const record of answers) this.#toldAtMs.set(record, nowMs)
    this.#send({ isResponse: true, answers, additionals: this.#additionalsTo(answers) })
  }

  /** The addresses too when avahi-daemon tells them, but not as if there were no others. */
  #additionalsTo(answers: readonly DnsRecord[]): DnsRecord[] {
    const host = this.#isHostOurs
      ? this.#records.host
      : this.#records.host.map((record): DnsRecord => ({ ...record, flush: false }))
    return additionalsTo(answers, [...this.#records.shared, ...this.#records.instances, ...host])
  }

  async #takeBack(records: readonly DnsRecord[]): Promise<void> {
    if (records.length === 0) return
    await this.#send({ isResponse: true, answers: records.map((record) => ({ ...record, ttl: 0 })) })
  }

  #send(message: Partial<DnsMessage>, to?: RemoteInfo): Promise<void> {
    const bytes = encodeMessage(message)
    if (to === undefined) this.#options.sent.add(bytes)
    return this.#socket?.send(bytes, to) ?? Promise.resolve()
  }
}
