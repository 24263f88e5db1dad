import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { MemoryBudget } from '#src/broker/memory-budget.js'
import { Outgoing } from '#src/broker/outgoing.js'
import { Publication } from '#src/broker/publication.js'
import type { Target } from '#src/broker/subscription.js'
import { setLimits } from '#src/core/limits.js'

afterEach(() => setLimits({}))

function world() {
  const told: string[] = []
  const budget = new MemoryBudget(
    () => told.push('pressure'),
    () => told.push('relief'),
  )
  return { budget, told }
}

test('there is no pressure at the bound; one byte more makes it, once, and it is over well below the bound', () => {
  setLimits({ memoryBytesMax: 1_000 })
  const { budget, told } = world()
  budget.add(1_000)
  assert.deepEqual([told, budget.isPressing], [[], false])
  budget.add(1)
  budget.add(1)
  assert.deepEqual([told, budget.isPressing], [['pressure'], true])
  budget.add(-102)
  assert.deepEqual([told, budget.isPressing], [['pressure'], true])
  budget.add(-1)
  assert.deepEqual([told, budget.isPressing, budget.bytes], [['pressure', 'relief'], false, 899])
})

test('a message that waits for many is charged once, what each of them adds apart, and nothing stays when all have let it go', () => {
  const { budget } = world()
  const topicBytes = Buffer.from('t')
  const publication = Publication.of(
    { route: { topic: 't', topicBytes, topicLength: 1 }, qos: 1, retain: false, client: 'c' },
    Buffer.alloc(10_000),
  )
  const target: Target = {
    receiver: { isLive: true, isKept: false, mayRead: () => true, deliver: () => {} },
    qos: 1,
    noLocal: false,
    retainAsPublished: false,
    identifiers: [],
    share: undefined,
  }
  const held = [1, 2, 3].map((order) => new Outgoing(publication, 1, false, target, order, budget))
  assert.ok(budget.bytes > 10_000 && budget.bytes < 12_000)
  const [first, ...others] = held as [Outgoing, ...Outgoing[]]
  first.release(budget)
  first.release(budget)
  assert.ok(budget.bytes > 10_000)
  for (const other of others) other.release(budget)
  assert.equal(budget.bytes, 0)
})
