// Queues messages until the disk takes no more, prints how many were found and how many are kept, and stays: to be killed.
import { Journal } from '#src/broker/journal/journal.js'
import { Counters } from '#src/core/counters.js'
import { reasonOf } from '#src/core/errors.js'
import { delivery, message, session } from './journal.js'
import { MemoryLog } from './memory-log.js'

const [dataDir] = process.argv.slice(2) as [string]
const [log, counters] = [new MemoryLog(), new Counters()]
const payload = Buffer.alloc(2_000, 'x')
setInterval(() => {}, 60_000)
try {
  const journal = await Journal.open({ dataDir, durability: 'power', log, counters })
  const [queue] = journal.takeRestored().sessions
  const found = queue?.deliveries.length ?? 0
  const number = queue?.record.number ?? journal.newSessionNumber()
  if (queue === undefined) journal.putSession(session(number))
  let [order, kept] = [queue?.deliveries.at(-1)?.order ?? 0, found]
  await journal.flush()
  while (counters.get('store.failedWrites') === 0) {
    for (let i = 0; i < 20; i++) {
      const body = journal.putBody(message('queued', { payload }))
      journal.putDelivery(number, ++order, body, delivery(), true)
    }
    await journal.flush()
    if (counters.get('store.failedWrites') === 0) kept += 20
  }
  say({ found, kept })
} catch (error) {
  say({ error: reasonOf(error) })
}

function say(what: object): void {
  process.stdout.write(`${JSON.stringify({ ...what, log: log.lines.map((line) => line.message) })}\n`)
}
