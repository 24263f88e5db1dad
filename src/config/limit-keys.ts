import type { LimitName } from '../core/limits.ts'
import { type Range, readBytes, readCount, readKeeping, readWait } from './amounts.ts'
import type { ProblemList } from './problem-list.ts'
import type { Variable, VariableName } from './variables.ts'

const KiB = 1_024
const MiB = 1_024 * KiB
const GiB = 1_024 * MiB

type AmountReader = (variable: Variable, warnings: ProblemList) => number | undefined

/** A key of `.env` that sets a bound, and how its value is read. */
export interface LimitKey {
  readonly key: VariableName
  readonly limit: LimitName
  readonly read: AmountReader
  /** Whether it says something where the broker is elsewhere. */
  readonly isForAttached?: true
}

/** The bounds that an owner may set, in the order of `.env.example`. All hold from a reload on. */
export const limitKeys: readonly LimitKey[] = [
  { key: 'MAX_CONNECTIONS', limit: 'connectionsMax', read: count({ min: 1, max: 100_000 }) },
  // 256 MiB: a remaining length of four bytes ends there [MQTT-1.5.5-1]
  {
    key: 'MAX_PACKET_SIZE',
    limit: 'packetBytesMax',
    read: bytes({ min: KiB, max: 256 * MiB }),
    isForAttached: true,
  },
  {
    key: 'MAX_INFLIGHT_MESSAGES',
    limit: 'inflightMessagesMax',
    read: count({ min: 1, max: 65_535 }, 65_535),
  },
  { key: 'MAX_QUEUED_MESSAGES', limit: 'sessionQueueMessagesMax', read: count({ min: 1, max: 10_000_000 }) },
  { key: 'MAX_QUEUED_BYTES', limit: 'sessionQueueBytesMax', read: bytes({ min: KiB, max: 16 * GiB }) },
  // mosquitto.conf(5): "Do not set below 10 seconds"
  { key: 'MAX_KEEPALIVE', limit: 'keepAliveSecondsMax', read: count({ min: 10, max: 65_535 }) },
  // 100: aedes takes no more
  { key: 'MAX_TOPIC_LEVELS', limit: 'topicLevelsMax', read: count({ min: 1, max: 100 }) },
  {
    key: 'PERSISTENT_CLIENT_EXPIRATION',
    limit: 'sessionExpirySecondsMax',
    read: (variable, warnings) => readKeeping(variable, 0xffff_ffff, warnings),
  },
  // 100: the states of our own pins are retained messages too
  {
    key: 'MAX_RETAINED_MESSAGES',
    limit: 'retainedMessagesMax',
    read: count({ min: 100, max: 10_000_000 }),
  },
  { key: 'MAX_RETAINED_BYTES', limit: 'retainedBytesMax', read: bytes({ min: 64 * KiB, max: 16 * GiB }) },
  {
    key: 'CONNECT_TIMEOUT',
    limit: 'connectTimeoutMs',
    read: (variable) => readWait(variable, { min: 1_000, max: 300_000 }),
  },
  { key: 'MAX_OUTPUT_BYTES', limit: 'outputBytesMax', read: bytes({ min: 64 * KiB, max: GiB }) },
  { key: 'MAX_MESSAGE_RATE', limit: 'messageRateMax', read: count({ min: 1, max: 1_000_000 }, 0) },
  { key: 'MEMORY_LIMIT', limit: 'memoryBytesMax', read: bytes({ min: 4 * MiB, max: 16 * GiB }) },
]

function count(range: Range, zero?: number): AmountReader {
  return (variable) => readCount(variable, range, zero)
}

function bytes(range: Range): AmountReader {
  return (variable) => readBytes(variable, range)
}
