import type { TestContext } from 'node:test'
import { Journal } from '#src/broker/journal/journal.js'
import type {
  DeliveryRecord,
  RestoredState,
  SessionRecord,
  StoredMessage,
  SubscriptionRecord,
} from '#src/broker/journal/records.js'
import { Counters } from '#src/core/counters.js'
import type { Durability } from '#src/core/durability.js'
import { MemoryLog } from './memory-log.js'

export interface JournalWorld {
  readonly journal: Journal
  readonly restored: RestoredState
  readonly log: MemoryLog
  readonly counters: Counters
}

/** Opens a journal, closed at the end of the test if it is not before. */
export async function openJournal(
  context: TestContext,
  dataDir: string,
  durability: Durability = 'crash',
): Promise<JournalWorld> {
  const log = new MemoryLog()
  const counters = new Counters()
  const journal = await Journal.open({ dataDir, durability, log, counters })
  context.after(() => journal.close())
  return { journal, restored: journal.takeRestored(), log, counters }
}

/** What another start finds in `dataDir`. */
export async function restoredFrom(context: TestContext, dataDir: string): Promise<RestoredState> {
  const { journal, restored } = await openJournal(context, dataDir)
  await journal.close()
  return restored
}

export function message(topic: string, fields: Partial<StoredMessage> = {}): StoredMessage {
  const basic = { payload: Buffer.from(`of ${topic}`), qos: 1, expiresAtMs: 0, client: 'sender' } as const
  return { topic, properties: undefined, ...basic, ...fields }
}

export function session(number: number, fields: Partial<SessionRecord> = {}): SessionRecord {
  const clientId = `client-${number}`
  return { number, clientId, expirySeconds: 3_600, disconnectedAtMs: 0, will: undefined, ...fields }
}

export function subscription(filter: string, fields: Partial<SubscriptionRecord> = {}): SubscriptionRecord {
  const plain = {
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    retainHandling: 0,
    identifier: 0,
  } as const
  return { filter, ...plain, ...fields }
}

export function delivery(fields: Partial<DeliveryRecord> = {}): DeliveryRecord {
  return { qos: 1, retain: false, packetId: 0, isReleased: false, identifiers: [], ...fields }
}

/** A session with so many messages that wait for it, all kept. */
export async function queueOf(journal: Journal, count: number): Promise<number> {
  const number = journal.newSessionNumber()
  journal.putSession(session(number))
  for (let order = 1; order <= count; order++) {
    const body = journal.putBody(message(`queued/${order}`))
    journal.putDelivery(number, order, body, delivery(), true)
  }
  await journal.flush()
  return number
}
