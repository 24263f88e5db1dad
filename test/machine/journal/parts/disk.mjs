import { readdirSync, statSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { connect, entries, promise, sh, status, systemctl, until } from '../../service.mjs'
import { login } from './log.mjs'

const data = '/var/lib/damselfly'
const queueMax = 10_000
const retainedTopics = 1_000
/** The files of the journal grow by 8 MiB at a time. */
const journalBytesMax = 16 * 2 ** 20

/** Of a hundred messages: 10 retained, 10 for a session that is away, 5 that are stored, the others for nobody. */
const mix = (number) => {
  const kind = number % 100
  const payload = `{"t":${number}}`
  if (kind < 10)
    return {
      topic: `house/retained/${(Math.floor(number / 100) * 10 + kind) % retainedTopics}`,
      payload,
      retain: true,
    }
  if (kind < 20) return { topic: 'house/waits', payload, qos: 1 }
  if (kind < 25) return { topic: `sensors/${kind}/temperature`, payload }
  return { topic: `house/other/${kind}`, payload }
}

export async function disk(messages) {
  const away = { ...login, clientId: 'away', clean: false, filter: 'house/waits' }
  const first = await connect(away)
  first.end()
  const since = Date.now()
  const before = sizes()
  const journalBefore = await journalBytes()
  const half = await send(0, Math.floor(messages / 2))
  const middle = sizes()
  const rest = await send(Math.floor(messages / 2), messages)
  const seconds = half + rest
  const counters = await settled(Math.floor(messages / 20))
  const after = sizes()
  console.log(
    `  ${messages} messages in ${Math.round(seconds)} s, ${Math.round(messages / seconds)} a second`,
  )
  for (const [when, found] of [
    ['before', before],
    ['at half', middle],
    ['after', after],
  ])
    console.log(`  ${when}: ${shown(found)}`)

  const bound = 32 * 2 ** 20
  promise(
    'what is kept does not grow with the messages',
    after.broker < bound && after.broker < middle.broker + bound / 2,
    `${mib(middle.broker)} at half, ${mib(after.broker)} at the end`,
  )
  const lines = await entries(since)
  promise('nor does the log', lines.length < 20 + seconds / 5, `${lines.length} lines`)
  const grown = (await journalBytes()) - journalBefore
  promise('nor the journal', grown <= journalBytesMax, `${mib(grown)} more`)
  const rows = Number((await sh('sh', '-c', 'damselfly export readings --format jsonl | wc -l')).stdout)
  const dropped = counters['rules.dropped'] ?? 0
  promise(
    'a message in twenty is a row of the database, which its owner empties',
    rows + dropped === messages / 20,
    `${rows} rows, ${dropped} dropped; ${mib(after.database)}, ${Math.round(after.database / Math.max(rows, 1))} bytes each`,
  )

  await systemctl('restart', 'damselfly')
  console.log(`  started again: ${shown(sizes())}`)
  const waits = messages / 10
  const later = await connect(away)
  const expected = Math.min(waits, queueMax)
  const kept = await until(
    (count) => count >= expected,
    () => later.all.filter((text) => text.startsWith('house/waits')).length,
    60,
  )
  promise(
    `of ${waits} messages for a session that is away the last ${expected} have waited for it`,
    kept === expected,
    `${kept}, the last ${later.all.filter((text) => text.startsWith('house/waits')).at(-1)}`,
  )
  later.end()
  const reader = await connect({ ...login, filter: 'house/retained/#' })
  const topics = Math.min(retainedTopics, messages / 10)
  const retained = await until(
    (count) => count === topics,
    () => reader.all.length,
  )
  promise('each topic has the one message retained', retained === topics, `${retained}`)
  reader.end()
}

/** Until the rules have done their part. */
async function settled(rows) {
  const { counters } = await until(
    ({ counters: now }) => (now['steps.done'] ?? 0) + (now['rules.dropped'] ?? 0) >= rows,
    status,
    120,
  )
  return counters
}

/** Sends the messages of these numbers, over one connection. @returns seconds */
async function send(from, to) {
  const socket = net.connect(1883, '127.0.0.1')
  let acknowledged = 0
  await new Promise((resolve) => {
    socket.write(connectPacket())
    socket.once('data', resolve)
  })
  socket.on('data', (bytes) => {
    acknowledged += bytes.length / 4 // PUBACK
  })
  const begun = performance.now()
  const together = 500
  let expected = 0
  for (let first = from; first < to; first += together) {
    const packets = []
    for (let number = first; number < Math.min(to, first + together); number++) {
      const message = mix(number)
      if (message.qos === 1) expected++
      packets.push(publishPacket({ ...message, id: (expected % 65_535) + 1 }))
    }
    await new Promise((resolve) => socket.write(Buffer.concat(packets), resolve))
    await until(
      (count) => count === expected,
      () => acknowledged,
      60,
    )
  }
  socket.end()
  if (acknowledged !== expected) throw new Error(`${acknowledged} of ${expected} acknowledged`)
  return (performance.now() - begun) / 1_000
}

function connectPacket() {
  const words = [login.username, login.password].map(text)
  const rest = Buffer.concat([text('MQTT'), Buffer.from([4, 0xc2, 0, 0]), text('many'), ...words])
  return Buffer.concat([Buffer.from([0x10, rest.length]), rest])
}

function publishPacket({ topic, payload, qos = 0, retain = false, id }) {
  const rest = [text(topic), ...(qos === 1 ? [Buffer.from([id >> 8, id & 0xff])] : []), Buffer.from(payload)]
  const length = rest.reduce((sum, part) => sum + part.length, 0) // below 128
  return Buffer.concat([Buffer.from([0x30 | (qos << 1) | (retain ? 1 : 0), length]), ...rest])
}

function text(value) {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes])
}

/** Of the journal's files, as `journalctl --disk-usage` sums them up. */
async function journalBytes() {
  const { text } = await sh('journalctl', '--disk-usage')
  const [, figure, unit] = /take up ([\d.]+)([BKMG])/.exec(text) ?? []
  return Number(figure) * 1_024 ** 'BKMG'.indexOf(unit)
}

/** Bytes of what the broker keeps, and of the database. */
function sizes() {
  let [broker, database] = [0, 0]
  for (const entry of readdirSync(data, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const { size } = statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false }) ?? { size: 0 }
    if (entry.name.startsWith('damselfly.db')) database += size
    else broker += size
  }
  return { broker, database }
}

const shown = ({ broker, database }) =>
  `${mib(broker)} of messages, sessions and the like, ${mib(database)} of rows`
const mib = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
