import Counter from 'prom-client/lib/counter.js'
import Gauge from 'prom-client/lib/gauge.js'
import Registry from 'prom-client/lib/registry.js'
import type { BrokerFigures } from '../core/broker-view.ts'
import { keyOfLimit } from '../core/limit-keys.ts'
import { limits } from '../core/limits.ts'

/** What is told at a moment. */
export interface MetricsFacts {
  readonly version: string
  /** This Damselfly's name in topics. */
  readonly name: string
  readonly startedAt: Date
  /** Undefined where the broker is elsewhere. */
  readonly figures: BrokerFigures | undefined
  /** What was counted since the start, by dotted names. */
  readonly counters: Readonly<Record<string, number>>
  /** How late the event loop was since this was asked last, by quantile, in seconds. */
  readonly eventLoopDelays: Readonly<Record<string, number>>
}

type Figure = readonly [figure: keyof BrokerFigures, name: string, help: string]

const gauges: readonly Figure[] = [
  ['clientsConnected', 'clients_connected', 'Clients that are connected'],
  ['clientsDisconnected', 'clients_disconnected', 'Sessions whose client is not connected'],
  ['clientsMaximum', 'clients_maximum', 'The most clients that were connected at one time'],
  ['subscriptions', 'subscriptions', 'Subscriptions of all sessions'],
  ['sharedSubscriptions', 'shared_subscriptions', 'Members of shared subscriptions'],
  ['retainedMessages', 'retained_messages', 'Retained messages'],
  ['retainedBytes', 'retained_bytes', 'Their topics, payloads and properties'],
  ['queuedMessages', 'queued_messages', 'Messages of QoS 1 and 2 that wait in sessions'],
  ['queuedBytes', 'queued_bytes', 'Their topics and payloads'],
  ['inflightMessages', 'inflight_messages', 'Messages of QoS 1 and 2 that clients have not acknowledged'],
  ['storeWritten', 'store_written', 'Whether the disk takes what must be kept: 1, or 0'],
  ['waitingBytes', 'waiting_bytes', 'What waits in all sessions and connections, as MEMORY_LIMIT counts it'],
]

const totals: readonly Figure[] = [
  ['socketsOpened', 'sockets_opened', 'Connections that came'],
  ['connects', 'connects_received', 'CONNECT packets'],
  ['clientsExpired', 'sessions_expired', 'Sessions whose time was up'],
  ['bytesReceived', 'bytes_received', 'Bytes from clients'],
  ['bytesSent', 'bytes_sent', 'Bytes to clients'],
  ['packetsReceived', 'packets_received', 'Packets of any kind from clients'],
  ['packetsSent', 'packets_sent', 'Packets of any kind to clients'],
  ['publishesReceived', 'messages_received', 'PUBLISH packets from clients'],
  ['publishesSent', 'messages_sent', 'PUBLISH packets to clients'],
  ['publishBytesReceived', 'payload_bytes_received', 'Bytes of their payloads'],
  ['publishBytesSent', 'payload_bytes_sent', 'Bytes of their payloads'],
  ['messagesUnkept', 'store_refused', 'Messages refused because they could not be written to the disk'],
  ['messagesDropped', 'messages_dropped', 'Messages that waited in sessions and were dropped at a bound'],
]

/** The text that Prometheus reads. Made anew each time, so that nothing is held between two of them. */
export async function metricsText(facts: MetricsFacts): Promise<string> {
  const registry = new Registry()
  const registers = [registry]
  const taken = new Set<string>()
  const gauge = (name: string, help: string, value: number): void => {
    new Gauge({ name, help, registers }).set(value)
  }
  const total = (name: string, help: string, value: number): void => {
    taken.add(name)
    new Counter({ name: `damselfly_${name}_total`, help, registers }).inc(value)
  }
  const labelled = (name: string, help: string, label: string, values: readonly [string, number][]): void => {
    const metric = new Gauge({ name, help, labelNames: [label], registers })
    for (const [value, amount] of values) metric.set({ [label]: value }, amount)
  }
  const { version, name, startedAt, figures, counters, eventLoopDelays } = facts
  new Gauge({
    name: 'damselfly_info',
    help: 'Which Damselfly this is',
    labelNames: ['version', 'name'],
    registers,
  }).set({ version, name }, 1)
  if (figures !== undefined) {
    for (const [figure, gauged, help] of gauges) gauge(`damselfly_${gauged}`, help, figures[figure])
    for (const [figure, counted, help] of totals) total(counted, help, figures[figure])
  }
  const reached = new Counter({
    name: 'damselfly_limit_reached_total',
    help: 'How often a bound of docs/limits.md was reached',
    labelNames: ['limit'],
    registers,
  })
  for (const [counter, count] of Object.entries(counters)) {
    const snake = snakeOf(counter)
    if (Object.hasOwn(limits, counter)) reached.inc({ limit: counter }, count)
    else if (!taken.has(snake)) total(snake, `Counted as ${counter}`, count)
  }
  const settable = Object.keys(keyOfLimit) as (keyof typeof keyOfLimit)[]
  labelled(
    'damselfly_limit',
    'The bounds that can be set, as they are',
    'limit',
    settable.map((limit) => [limit, limits[limit]]),
  )
  labelled(
    'damselfly_event_loop_delay_seconds',
    'How late the event loop was since the last scrape',
    'quantile',
    Object.entries(eventLoopDelays),
  )
  const { user, system } = process.cpuUsage()
  new Counter({ name: 'process_cpu_seconds_total', help: 'Processor time', registers }).inc(
    (user + system) / 1e6,
  )
  gauge('process_resident_memory_bytes', 'Resident memory', process.memoryUsage.rss())
  gauge('process_start_time_seconds', 'When it started, Unix time', startedAt.getTime() / 1_000)
  return await registry.metrics()
}

/** `rules.conditionErrors` → `rules_condition_errors`. */
function snakeOf(counter: string): string {
  return counter.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replaceAll(/[^a-z0-9]+/g, '_')
}
