import type { ClientReport, Flow, RefusalReport, SubscriptionReport } from '../core/broker-view.ts'
import { formatDuration } from '../core/units.ts'
import { table } from './table.ts'
import { localTime, type Paint, plain, shortened } from './terminal.ts'

const titles = [
  'CLIENT',
  'USER',
  'ADDRESS',
  'MQTT',
  'SINCE',
  'SUBS',
  'IN/s',
  'OUT/s',
  'QUEUED',
  'REFUSED LAST',
]
const idCharsMax = 40
const reasonCharsMax = 100

/** Clients as a table, those that are connected first, and below it who was not let in. */
export function clientLines(
  clients: readonly ClientReport[],
  refusals: readonly RefusalReport[],
  paint: Paint,
): string[] {
  const sorted = sortedClients(clients)
  const lines =
    sorted.length === 0
      ? ['no clients']
      : table(titles, sorted.map(cellsOf), paint, (text, _, row) =>
          sorted[row]?.isConnected ? text : paint('dim', text),
        )
  if (refusals.length === 0) return lines
  const refused = refusals
    .toReversed()
    .map(({ at, client, address, reason, count }) => [
      localTime(at),
      plain(address),
      client === undefined ? '' : shortened(client, idCharsMax),
      count === 1 ? '' : `${count} times`,
      shortened(reason, reasonCharsMax),
    ])
  return [...lines, '', ...table(['NOT LET IN', 'ADDRESS', 'CLIENT', '', 'BECAUSE'], refused, paint)]
}

/** By their ids, those that are connected first. */
export function sortedClients(clients: readonly ClientReport[]): ClientReport[] {
  const order = (one: ClientReport, other: ClientReport): number =>
    Number(other.isConnected) - Number(one.isConnected) || (one.id < other.id ? -1 : 1)
  return clients.toSorted(order)
}

function cellsOf(client: ClientReport): string[] {
  const { id, isConnected, user, version, since, subscriptions, received, sent, queuedMessages } = client
  return [
    shortened(id, idCharsMax),
    user === undefined ? '' : shortened(user, idCharsMax),
    isConnected ? placeOf(client) : 'away',
    version ?? '',
    localTime(since),
    String(subscriptions),
    received === undefined ? '' : String(received.messagesPerSecond),
    sent === undefined ? '' : String(sent.messagesPerSecond),
    String(queuedMessages),
    client.lastRefusal === undefined ? '' : shortened(refusalWords(client.lastRefusal), reasonCharsMax),
  ]
}

/** All that is known of one client. */
export function clientDetails(
  client: ClientReport,
  subscriptions: readonly SubscriptionReport[],
  paint: Paint,
): string[] {
  const { id, isConnected, since, user, version, cleanStart, keepAliveSeconds, lastRefusal } = client
  const { sessionExpirySeconds, inflightMessages, queuedMessages, queuedBytes, droppedMessages } = client
  const rows: (readonly [string, string] | undefined)[] = [
    [isConnected ? 'connected' : 'away', `since ${localTime(since)}`],
    client.address === undefined ? undefined : ['address', placeOf(client)],
    user === undefined ? undefined : ['user', plain(user)],
    version === undefined ? undefined : ['MQTT', `${version}${cleanStart === true ? ', clean start' : ''}`],
    keepAliveSeconds === undefined
      ? undefined
      : ['keep alive', keepAliveSeconds === 0 ? 'none' : formatDuration(keepAliveSeconds * 1_000)],
    ['session', sessionWords(sessionExpirySeconds)],
    client.received === undefined ? undefined : ['received', flowWords(client.received)],
    client.sent === undefined ? undefined : ['sent', flowWords(client.sent)],
    ['in flight', String(inflightMessages)],
    ['queued', `${queuedMessages}, ${bytesWords(queuedBytes)}`],
    ['dropped', String(droppedMessages)],
    lastRefusal === undefined
      ? undefined
      : ['refused', `${localTime(lastRefusal.at)} ${refusalWords(lastRefusal)}`],
    ['subscribed', subscriptions.length === 0 ? 'to nothing' : `to ${subscriptions.length}`],
  ]
  return [
    paint('bold', plain(id)),
    ...rows.flatMap((row) => (row === undefined ? [] : [`  ${row[0].padEnd(11)}${row[1]}`])),
    ...subscriptions
      .toSorted((one, other) => (one.filter < other.filter ? -1 : 1))
      .map((subscription) => `    ${subscriptionWords(subscription)}`),
  ]
}

/** `192.168.1.40 garden (wss)`: the listener where it is not the first one, the transport where it is not plain. */
function placeOf({ address = '', listener = 'main', transport = 'mqtt' }: ClientReport): string {
  const words = [plain(address)]
  if (listener !== 'main') words.push(plain(listener))
  if (transport !== 'mqtt' && transport !== address) words.push(`(${transport})`)
  return words.join(' ')
}

function sessionWords(seconds: number | null): string {
  if (seconds === null) return 'kept for good'
  return seconds === 0 ? 'ends with the connection' : `kept for ${formatDuration(seconds * 1_000)}`
}

function flowWords({ messages, bytes, messagesPerSecond, bytesPerSecond }: Flow): string {
  return `${messages === 1 ? '1 message' : `${messages} messages`}, ${bytesWords(bytes)}; ${messagesPerSecond}/s, ${bytesWords(Math.round(bytesPerSecond))}/s`
}

/** In the largest unit of which there is one. */
function bytesWords(bytes: number): string {
  for (const [unit, size] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const)
    if (bytes >= size) return `${(bytes / size).toFixed(1)} ${unit}`
  return `${bytes} bytes`
}

function refusalWords({ what, topic, filter, reason, count }: RefusalReport): string {
  const where = topic ?? filter
  const times = count === 1 ? '' : ` (${count} times)`
  return plain(`${what}${where === undefined ? '' : ` ${where}`}: ${reason}${times}`)
}

function subscriptionWords({
  filter,
  qos,
  noLocal,
  retainAsPublished,
  identifier,
}: SubscriptionReport): string {
  const words = [`${plain(filter)}  qos ${qos}`]
  if (noLocal) words.push('no local')
  if (retainAsPublished) words.push('retain as published')
  if (identifier !== 0) words.push(`identifier ${identifier}`)
  return words.join(', ')
}
