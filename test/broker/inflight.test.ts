import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Inflight, waits } from '#src/broker/inflight.js'

test('identifiers are never given twice, and come back in the order in which they were taken', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(99), { maxLength: 400 }), (steps) => {
      const inflight = new Inflight<string>()
      const model = new Map<number, string>()
      for (const [index, step] of steps.entries()) {
        const taken = [...model.keys()]
        if (step < 60 || taken.length === 0) {
          const id = inflight.take(waits.puback, `item ${index}`)
          assert.ok(id >= 1 && id <= 65_535)
          assert.ok(!model.has(id), `${id} is taken`)
          model.set(id, `item ${index}`)
        } else {
          const id = taken[step % taken.length] as number
          assert.equal(inflight.stateOf(id), waits.puback)
          assert.equal(inflight.free(id), model.get(id))
          model.delete(id)
          assert.equal(inflight.stateOf(id), waits.nothing)
        }
        assert.equal(inflight.count, model.size)
      }
      assert.deepEqual(inflight.ids(), [...model.keys()])
    }),
  )
})

test('one that is never answered does not make the memory grow', () => {
  const inflight = new Inflight<undefined>()
  const stuck = inflight.take(waits.puback, undefined)
  for (let round = 0; round < 200_000; round++) inflight.free(inflight.take(waits.pubrec, undefined))
  assert.equal(inflight.stateOf(stuck), waits.puback)
  assert.deepEqual(inflight.ids(), [stuck])
})

test('all 65,535 identifiers can be in use', () => {
  const inflight = new Inflight<undefined>()
  const ids = new Set<number>()
  for (let count = 0; count < 65_535; count++) ids.add(inflight.take(waits.puback, undefined))
  assert.equal(ids.size, 65_535)
  assert.ok(!ids.has(0))
  inflight.free(777)
  assert.equal(inflight.take(waits.puback, undefined), 777)
})

test('an identifier of an earlier life is taken as it was', () => {
  const inflight = new Inflight<string>()
  for (const id of [65_535, 1, 17, 33]) inflight.retake(id, waits.pubrec, `item ${id}`)
  assert.deepEqual(inflight.ids(), [65_535, 1, 17, 33])
  assert.equal(inflight.itemOf(17), 'item 17')
  assert.equal(inflight.take(waits.puback, 'next'), 34)
})

test('a state is only left by the step that belongs to it', () => {
  const inflight = new Inflight<undefined>()
  const id = inflight.take(waits.pubrec, undefined)
  assert.equal(inflight.move(id, waits.puback, waits.pubcomp), false)
  assert.equal(inflight.move(id + 16, waits.pubrec, waits.pubcomp), false)
  assert.equal(inflight.move(id, waits.pubrec, waits.pubcomp), true)
  assert.equal(inflight.stateOf(id), waits.pubcomp)
})
