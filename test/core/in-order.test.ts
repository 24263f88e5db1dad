import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { InOrder } from '#src/core/in-order.js'

test('what was begun first ends first, however long it takes, and a failure holds nobody up', async () => {
  const order = new InOrder()
  const ended: string[] = []
  const run = async (name: string, ms: number): Promise<void> => {
    const work = sleep(ms).then(() => {
      if (name === 'second') throw new Error('no')
    })
    await order.settle(work).catch(() => ended.push('failed'))
    ended.push(name)
  }
  const all = [run('first', 30), run('second', 1), run('third', 0)]
  assert.equal(order.isIdle, false)
  await Promise.all(all)
  assert.deepEqual(ended, ['first', 'failed', 'second', 'third'])
  assert.equal(order.isIdle, true)
})
