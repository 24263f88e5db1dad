import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import { MemoryBudget } from '#src/broker/memory-budget.js'
import { Output } from '#src/broker/output.js'
import { limits } from '#src/core/limits.js'
import { until } from '../support/until.js'

/** A socket whose kernel takes what it is told to, when it is told to. */
class Kernel extends Writable {
  readonly writes: Buffer[] = []
  isStuck = false
  #done: (() => void) | undefined

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.#take([chunk], done)
  }

  override _writev(chunks: readonly { readonly chunk: Buffer }[], done: () => void): void {
    this.#take(
      chunks.map(({ chunk }) => chunk),
      done,
    )
  }

  #take(chunks: readonly Buffer[], done: () => void): void {
    this.writes.push(Buffer.concat(chunks)) // a copy: the slab is used again
    if (this.isStuck) this.#done = done
    else done()
  }

  loosen(): void {
    this.isStuck = false
    this.#done?.()
  }
}

/** As long as written bytes wait for company: two turns of the event loop. */
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))

function world(delayed?: { onOverdue: () => void }) {
  const kernel = new Kernel({ highWaterMark: 1 })
  const budget = new MemoryBudget(
    () => {},
    () => {},
  )
  let drains = 0
  const output = new Output(kernel, budget, () => drains++, undefined, delayed)
  return { kernel, budget, output, drains: () => drains }
}

test('what is written in one turn goes out in one write, soon after its end', async () => {
  const { kernel, output, budget } = world()
  for (const text of ['one ', 'two ', 'three']) output.write(Buffer.from(text))
  assert.equal(kernel.writes.length, 0)
  await turn()
  assert.deepEqual(kernel.writes.map(String), ['one two three'])
  assert.equal(output.waiting, 0)
  assert.equal(budget.bytes, 0)
})

test('there is one write outstanding, and the rest goes with the next', async () => {
  const { kernel, output, budget } = world()
  kernel.isStuck = true
  output.write(Buffer.from('a'))
  await turn()
  for (const text of ['b', 'c', 'd']) {
    output.write(Buffer.from(text))
    await turn()
  }
  assert.deepEqual(kernel.writes.map(String), ['a'])
  assert.ok(output.isBehind)
  assert.equal(output.waiting, 4)
  assert.equal(budget.bytes, 4)
  kernel.loosen()
  await turn()
  assert.deepEqual(kernel.writes.map(String), ['a', 'bcd'])
  assert.equal(budget.bytes, 0)
})

test('many bytes, large ones by reference, keep their order', async () => {
  const { kernel, output } = world()
  const sent: Buffer[] = []
  for (let index = 0; index < 50; index++) {
    const part = Buffer.alloc(index % 5 === 0 ? 30_000 : 5_000, index)
    sent.push(part)
    if (part.length > 16_384) output.writeShared(part)
    else output.write(part)
  }
  await turn()
  await turn()
  assert.ok(Buffer.concat(kernel.writes).equals(Buffer.concat(sent)))
})

test('a payload by reference stays what it is when slabs are used again', async () => {
  const { output } = world()
  const payload = Buffer.alloc(64 * 1024, 7)
  const shared = new Uint8Array(payload)
  output.writeShared(shared)
  await turn()
  const other = world()
  other.output.write(Buffer.alloc(60_000, 9))
  await turn()
  assert.ok(Buffer.from(shared).equals(payload))
})

test('when there is room again, it is told once', async () => {
  const { kernel, output, drains } = world()
  kernel.isStuck = true
  output.write(Buffer.alloc(10))
  await turn()
  assert.equal(output.hasRoom, true)
  output.write(Buffer.alloc(limits.outputBytesMax / 2))
  assert.equal(output.hasRoom, false)
  kernel.loosen()
  await turn()
  await turn()
  assert.equal(output.hasRoom, true)
  assert.equal(drains(), 1)
})

test('the stream ends when all that was written has gone', async () => {
  const { kernel, output } = world()
  kernel.isStuck = true
  output.write(Buffer.from('a'))
  await turn()
  output.write(Buffer.from('b'))
  output.end()
  assert.equal(kernel.writableEnded, false)
  kernel.loosen()
  await turn()
  assert.deepEqual(kernel.writes.map(String), ['a', 'b'])
  assert.equal(kernel.writableEnded, true)
})

test('the slab of a write that the kernel has not taken is not used again when the end of the one before it is told', async () => {
  const { kernel, output } = world()
  const big = Buffer.alloc(40_000, 1)
  output.write(big)
  output.flush() // taken at once; its end is told after this turn
  kernel.isStuck = true
  output.write(Buffer.alloc(40_000, 2))
  output.flush()
  await turn()
  assert.ok(output.isBehind)
  assert.equal(output.waiting, 40_000)
  kernel.loosen()
  await turn()
  assert.equal(output.waiting, 0)
})

test('of a stream that tells the end of a write later, a client is behind only when that is overdue or too much waits', async () => {
  let overdue = 0
  const { kernel, output } = world({ onOverdue: () => overdue++ })
  kernel.isStuck = true
  output.write(Buffer.alloc(1_000))
  await turn()
  assert.equal(output.isBehind, false)
  output.watch()
  output.watch()
  await new Promise((resolve) => setTimeout(resolve, 300))
  assert.equal(overdue, 0)
  await until('it is overdue', () => overdue > 0)
  assert.deepEqual([output.isBehind, overdue], [true, 1])
  kernel.loosen()
  await turn()
  assert.equal(output.isBehind, false)
  kernel.isStuck = true
  output.write(Buffer.alloc(10))
  output.flush()
  output.writeShared(Buffer.alloc(2 * limits.outputBytesMax - 10))
  assert.equal(output.isBehind, false)
  output.write(Buffer.alloc(1))
  assert.equal(output.isBehind, true)
  output.discard()
})

test('a client that takes what it was given is not overdue, however long the event loop was busy', async () => {
  let overdue = 0
  const { kernel, output } = world({ onOverdue: () => overdue++ })
  kernel.isStuck = true
  output.write(Buffer.alloc(1_000))
  output.flush()
  output.watch()
  setImmediate(() => kernel.loosen())
  const untilMs = performance.now() + 600
  while (performance.now() < untilMs);
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(overdue, 0)
})

test('the end of such a stream comes after what was written last', async () => {
  const { kernel, output } = world({ onOverdue: () => {} })
  kernel.isStuck = true
  output.write(Buffer.from('a'))
  await turn()
  output.write(Buffer.from('bye'))
  output.end()
  assert.equal(kernel.writableEnded, false)
  kernel.loosen()
  await turn()
  assert.deepEqual([kernel.writes.map(String), kernel.writableFinished], [['a', 'bye'], true])
})
