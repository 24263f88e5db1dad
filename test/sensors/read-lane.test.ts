import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { ReadLane } from '#src/sensors/read-lane.js'

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('one read is under way at a time, in the order of asking, whatever the one before came to', async () => {
  const lane = new ReadLane(1_000)
  const story: string[] = []
  const read =
    (name: string, fails = false) =>
    async (): Promise<number> => {
      story.push(`${name} begins`)
      await settle()
      story.push(`${name} ends`)
      if (fails) throw new Error(`${name} failed`)
      return story.length
    }
  const both = [lane.run('a', read('a', true)), lane.run('b', read('b'))]
  await assert.rejects(both[0] as Promise<number>, { message: 'a failed' })
  assert.equal(await both[1], 4)
  assert.deepEqual(story, ['a begins', 'a ends', 'b begins', 'b ends'])
})

test('a read that hangs fails when its time is over; until it returns the others fail at once, and are not begun', async (t) => {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.after(() => mock.timers.reset())
  const lane = new ReadLane(10_000)
  let free = (_value: number): void => {}
  const hanging = new Promise<number>((resolve) => {
    free = resolve
  })
  let others = 0
  const other = async (): Promise<number> => ++others
  const stuck = lane.run('w1:a', () => hanging)
  const waiting = lane.run('w1:b', other)
  await settle()
  mock.timers.tick(9_999)
  await settle()
  assert.equal(others, 0)
  mock.timers.tick(1)
  await assert.rejects(stuck, {
    code: 'SENSOR_FAILED',
    message: 'w1:a: the kernel has not answered within 10s',
  })
  const refusal = { code: 'SENSOR_FAILED', message: /^w1:. is not read while the kernel hangs in w1:a$/ }
  await assert.rejects(waiting, refusal)
  await assert.rejects(lane.run('w1:a', other), refusal)
  assert.equal(others, 0)

  free(5)
  await settle()
  assert.equal(await lane.run('w1:b', other), 1)
})
