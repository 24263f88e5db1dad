import { keyOfLimit, type SettableLimit } from '../core/limit-keys.ts'
import { type Range, readBytes, readCount, readKeeping, readSeconds, readWait } from './amounts.ts'
import type { ProblemList } from './problem-list.ts'
import type { Variable, VariableName } from './variables.ts'

const KiB = 1_024
const MiB = 1_024 * KiB
const GiB = 1_024 * MiB

type AmountReader = (variable: Variable, warnings: ProblemList) => number | undefined

/** A key of `.env` that sets a bound, and how its value is read. */
export interface LimitKey {
  readonly key: VariableName
  readonly limit: SettableLimit
  readonly read: AmountReader
  /** Whether it says something where the broker is elsewhere. */
  readonly isForAttached?: true
}

const readers: readonly Omit<LimitKey, 'key'>[] = [
  { limit: 'connectionsMax', read: count({ min: 1, max: 100_000 }) },
  // 256 MiB: a remaining length of four bytes ends there [MQTT-1.5.5-1]
  {
    limit: 'packetBytesMax',
    read: bytes({ min: KiB, max: 256 * MiB }),
    isForAttached: true,
  },
  {
    limit: 'inflightMessagesMax',
    read: count({ min: 1, max: 65_535 }, 65_535),
  },
  { limit: 'sessionQueueMessagesMax', read: count({ min: 1, max: 10_000_000 }) },
  { limit: 'sessionQueueBytesMax', read: bytes({ min: KiB, max: 16 * GiB }) },
  // mosquitto.conf(5): "Do not set below 10 seconds"
  { limit: 'keepAliveSecondsMax', read: (variable) => readSeconds(variable, { min: 10, max: 65_535 }) },
  // 100: aedes takes no more
  { limit: 'topicLevelsMax', read: count({ min: 1, max: 100 }) },
  {
    limit: 'sessionExpirySecondsMax',
    read: (variable, warnings) => readKeeping(variable, 0xffff_ffff, warnings),
  },
  // 100: the states of our own pins are retained messages too
  {
    limit: 'retainedMessagesMax',
    read: count({ min: 100, max: 10_000_000 }),
  },
  { limit: 'retainedBytesMax', read: bytes({ min: 64 * KiB, max: 16 * GiB }) },
  {
    limit: 'connectTimeoutMs',
    read: (variable) => readWait(variable, { min: 1_000, max: 300_000 }),
  },
  { limit: 'outputBytesMax', read: bytes({ min: 64 * KiB, max: GiB }) },
  { limit: 'messageRateMax', read: count({ min: 1, max: 1_000_000 }, 0) },
  { limit: 'memoryBytesMax', read: bytes({ min: 4 * MiB, max: 16 * GiB }) },
]

/** The bounds that an owner may set, in the order of `.env.example`. All hold from a reload on. */
export const limitKeys: readonly LimitKey[] = readers.map((reader) => ({
  key: keyOfLimit[reader.limit],
  ...reader,
}))

function count(range: Range, zero?: number): AmountReader {
  return (variable) => readCount(variable, range, zero)
}

function bytes(range: Range): AmountReader {
  return (variable) => readBytes(variable, range)
}
