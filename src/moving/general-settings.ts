import { fitted, keepingOf, numberOf } from './amounts.ts'
import { lastOf, type Statement } from './mosquitto-conf.ts'
import type { Draft } from './move.ts'

const KiB = 1_024
const GiB = 2 ** 30

interface Bound {
  readonly key: string
  readonly min: number
  readonly max: number
  /** What 0 is here; `default`: the bound stays at its default. */
  readonly zero?: number | 'default'
}

/** Bounds that are a number in both. */
const bounds: Readonly<Record<string, Bound>> = {
  global_max_connections: { key: 'MAX_CONNECTIONS', min: 1, max: 100_000, zero: 'default' },
  max_inflight_messages: { key: 'MAX_INFLIGHT_MESSAGES', min: 1, max: 65_535, zero: 0 },
  max_keepalive: { key: 'MAX_KEEPALIVE', min: 10, max: 65_535, zero: 'default' },
  max_packet_size: { key: 'MAX_PACKET_SIZE', min: KiB, max: 2 ** 28 },
  max_queued_bytes: { key: 'MAX_QUEUED_BYTES', min: KiB, max: 16 * GiB, zero: 'default' },
  max_queued_messages: { key: 'MAX_QUEUED_MESSAGES', min: 1, max: 10_000_000, zero: 10_000_000 },
  memory_limit: { key: 'MEMORY_LIMIT', min: 2 ** 22, max: 16 * GiB, zero: 'default' },
}

/** What a payload of the greatest size has around it: fixed header, topic, packet identifier, properties. */
const aroundPayloadBytes = 8 * KiB

/** Options of the whole broker that are keys of `.env`. */
export function translateGeneral(draft: Draft): void {
  const { conf, outcomes } = draft
  for (const [name, bound] of Object.entries(bounds)) {
    const statement = effective(draft, name)
    if (statement !== undefined) outcomes.read(statement, () => takeBound(draft, statement, bound))
  }
  const size = effective(draft, 'message_size_limit')
  if (size !== undefined) outcomes.read(size, () => takeMessageSize(draft, size))
  const expiration = effective(draft, 'persistent_client_expiration')
  if (expiration !== undefined) takeExpiration(draft, expiration)
  const interval = effective(draft, 'sys_interval')
  if (interval !== undefined) outcomes.read(interval, () => takeSysInterval(draft, interval))
  takeLog(draft, conf.general)
}

/** The statement that holds; those before it say nothing. */
function effective({ conf, outcomes }: Draft, name: string): Statement | undefined {
  const last = lastOf(conf.general, name)
  for (const statement of conf.general)
    if (statement !== last && statement.option?.name === name)
      outcomes.same(statement, 'a later line says otherwise')
  return last
}

function takeBound({ env, outcomes }: Draft, statement: Statement, bound: Bound): void {
  const { value, remark } = fitted(numberOf(statement), bound, bound.zero)
  if (value === undefined) return outcomes.same(statement, `${bound.key}: ${remark}`)
  env.set(bound.key, String(value))
  outcomes.taken(statement, `${bound.key}=${value}${remark === undefined ? '' : ` (${remark})`}`)
}

function takeMessageSize(draft: Draft, statement: Statement): void {
  const { env, outcomes } = draft
  const bytes = numberOf(statement)
  if (bytes === 0) return outcomes.same(statement, 'no bound of its own; MAX_PACKET_SIZE has one')
  const packetBytes = Math.min(bytes + aroundPayloadBytes, 2 ** 28)
  const smaller = Math.min(packetBytes, Number(env.get('MAX_PACKET_SIZE') ?? packetBytes))
  env.set('MAX_PACKET_SIZE', String(smaller))
  outcomes.taken(
    statement,
    `MAX_PACKET_SIZE=${smaller}: the payload and what is around it. Who sends more is disconnected`,
  )
}

function takeExpiration({ env, outcomes }: Draft, statement: Statement): void {
  const keeping = keepingOf(statement.value)
  if (keeping === undefined)
    return outcomes.lost(
      statement,
      `"${statement.value}" is no time, and mosquitto refuses that; write such as 14d`,
    )
  env.set('PERSISTENT_CLIENT_EXPIRATION', keeping)
  outcomes.taken(statement, `PERSISTENT_CLIENT_EXPIRATION=${keeping}`)
}

const sysIntervalMax = 86_400

function takeSysInterval({ env, outcomes }: Draft, statement: Statement): void {
  const seconds = Math.min(Math.max(0, numberOf(statement)), sysIntervalMax)
  env.set('SYS_INTERVAL', String(seconds))
  outcomes.taken(statement, `SYS_INTERVAL=${seconds}`)
}

const levels = ['silent', 'error', 'warn', 'info', 'debug'] as const
const levelOfType: Readonly<Record<string, (typeof levels)[number]>> = {
  none: 'silent',
  error: 'error',
  warning: 'warn',
  notice: 'info',
  information: 'info',
  debug: 'debug',
  subscribe: 'debug',
  unsubscribe: 'debug',
  internal: 'debug',
  websockets: 'debug',
  all: 'debug',
}

function takeLog({ env, outcomes }: Draft, general: readonly Statement[]): void {
  let level: (typeof levels)[number] | undefined
  const types = general.filter(({ option }) => option?.name === 'log_type')
  for (const { value } of types) {
    const next = levelOfType[value]
    if (next === 'silent') level = 'silent'
    else if (next !== undefined && levels.indexOf(next) > levels.indexOf(level ?? 'silent')) level = next
  }
  const places = general.filter(({ option }) => option?.name === 'log_dest')
  const isNowhere = places.at(-1)?.value === 'none'
  if (isNowhere) level = 'silent'
  if (level !== undefined) env.set('LOG_LEVEL', level)
  for (const statement of types) {
    if (levelOfType[statement.value] === undefined)
      outcomes.lost(statement, `mosquitto knows no log_type ${statement.value} either; remove it`)
    else outcomes.taken(statement, `LOG_LEVEL=${level}`)
  }
  for (const statement of places) {
    const [place] = statement.value.split(' ')
    if (place === 'none' && isNowhere) outcomes.taken(statement, 'LOG_LEVEL=silent')
    else if (place === 'stdout' || place === 'stderr' || place === 'syslog' || place === 'none')
      outcomes.same(statement, 'the log goes to standard output, or to the journal: journalctl -u damselfly')
    else if (place === 'file')
      outcomes.same(statement, 'no file: the log goes to the journal, journalctl -u damselfly')
    else outcomes.lost(statement, `no log to ${place}; the journal has it: journalctl -u damselfly -o json`)
  }
}
