import type { LimitName } from './limits.ts'

/** The keys of `.env` that set bounds, in the order of `.env.example`. */
export const keyOfLimit = {
  connectionsMax: 'MAX_CONNECTIONS',
  packetBytesMax: 'MAX_PACKET_SIZE',
  inflightMessagesMax: 'MAX_INFLIGHT_MESSAGES',
  sessionQueueMessagesMax: 'MAX_QUEUED_MESSAGES',
  sessionQueueBytesMax: 'MAX_QUEUED_BYTES',
  keepAliveSecondsMax: 'MAX_KEEPALIVE',
  topicLevelsMax: 'MAX_TOPIC_LEVELS',
  sessionExpirySecondsMax: 'PERSISTENT_CLIENT_EXPIRATION',
  retainedMessagesMax: 'MAX_RETAINED_MESSAGES',
  retainedBytesMax: 'MAX_RETAINED_BYTES',
  connectTimeoutMs: 'CONNECT_TIMEOUT',
  outputBytesMax: 'MAX_OUTPUT_BYTES',
  messageRateMax: 'MAX_MESSAGE_RATE',
  memoryBytesMax: 'MEMORY_LIMIT',
} as const satisfies Partial<Record<LimitName, string>>

/** A bound that has a key. */
export type SettableLimit = keyof typeof keyOfLimit

/** What an owner sets to change a bound, where it can be changed. */
export function settingOf(limit: string): string | undefined {
  return (keyOfLimit as Readonly<Record<string, string>>)[limit]
}

/** A bound as people are told of it: `MAX_CONNECTIONS (connectionsMax)`, or its name alone. */
export function shownLimit(limit: string): string {
  const setting = settingOf(limit)
  return setting === undefined ? limit : `${setting} (${limit})`
}

/** A bound for a line of the log. */
export function limitFields(limit: LimitName): { readonly bound: LimitName; readonly setting?: string } {
  const setting = settingOf(limit)
  return setting === undefined ? { bound: limit } : { bound: limit, setting }
}
