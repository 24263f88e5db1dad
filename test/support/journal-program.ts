// Records without end, as fast as the disk takes it, and prints each number that is kept: to be killed.
import { Journal } from '#src/broker/journal/journal.js'
import { Counters } from '#src/core/counters.js'
import type { Durability } from '#src/core/durability.js'
import { delivery, message, session, subscription } from './journal.js'
import { MemoryLog } from './memory-log.js'

const [dataDir, durability, first] = process.argv.slice(2) as [string, Durability, string]
const journal = await Journal.open({ dataDir, durability, log: new MemoryLog(), counters: new Counters() })
const { sessions } = journal.takeRestored()
const queued = sessions[0]?.deliveries.map(({ order, body }) => ({ order, body })) ?? []
let number = sessions[0]?.record.number
if (number === undefined) {
  number = journal.newSessionNumber()
  journal.putSession(session(number))
  journal.putSubscription(number, subscription('#'), true)
}
const waiting: { readonly batch: number; readonly upTo: number }[] = []
let order = Number(first)
journal.onKept = () => {
  let upTo: number | undefined
  while (waiting[0] !== undefined && waiting[0].batch <= journal.kept) upTo = waiting.shift()?.upTo
  if (upTo !== undefined) process.stdout.write(`${upTo}\n`)
  recordSome(number)
}
recordSome(number)

function recordSome(to: number): void {
  for (let i = 0; i < 1 + (order % 200); i++) {
    order++
    const body = journal.putBody(message(`t/${order}`))
    journal.putDelivery(to, order, body, delivery(), true)
    queued.push({ order, body })
    const brief = journal.putBody(message('brief'))
    journal.putDelivery(to, 0, brief, delivery(), true)
    journal.deleteDelivery(to, 0, brief)
    journal.putRetained(message('state', { payload: Buffer.from(String(order)) }))
    const oldest = queued.length > 1_000 ? queued.shift() : undefined
    if (oldest !== undefined) journal.deleteDelivery(to, oldest.order, oldest.body)
  }
  waiting.push({ batch: journal.open, upTo: order })
}
