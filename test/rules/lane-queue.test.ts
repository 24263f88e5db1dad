import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { LaneQueue } from '#src/rules/lane-queue.js'

interface Job {
  readonly lane: string
  readonly id: number
}

function world(
  options: {
    work?: (job: Job) => Promise<void> | void
    jobsMax?: number
    bytesMax?: number
    lanesMax?: number
  } = {},
) {
  const done: Job[] = []
  const dropped: Job[] = []
  const queue = new LaneQueue<Job>({
    jobsMax: options.jobsMax ?? 100,
    bytesMax: options.bytesMax ?? 1_000,
    lanesMax: options.lanesMax ?? 2,
    work: options.work ?? ((job) => void done.push(job)),
    onDrop: (job) => dropped.push(job),
  })
  return {
    queue,
    done,
    dropped,
    push: (lane: string, id: number, bytes = 1) => queue.push(lane, { lane, id }, bytes),
  }
}

const ids = (jobs: readonly Job[]) => jobs.map(({ id }) => id)

test('nothing runs inside push, and all of it has run when the queue is idle', async () => {
  const { queue, done, push } = world()
  push('a', 1)
  assert.deepEqual(done, [])
  await queue.idle()
  assert.deepEqual(ids(done), [1])
  assert.equal(queue.size, 0)
  assert.equal(queue.bytes, 0)
})

test('a lane keeps its order while jobs take different times, and no two of its jobs overlap', async () => {
  const order: number[] = []
  let running = 0
  const { queue, push } = world({
    work: async ({ id }) => {
      running++
      assert.equal(running, 1)
      for (let turns = (id * 7) % 3; turns > 0; turns--) await turn()
      order.push(id)
      running--
    },
  })
  for (let id = 0; id < 30; id++) push('a', id)
  await queue.idle()
  assert.deepEqual(order, [...Array(30).keys()])
})

test('lanes run side by side, never more than allowed, and a lane that hangs holds up no other', async () => {
  let running = 0
  let most = 0
  let release = (): void => {}
  const finished: string[] = []
  const { queue, push } = world({
    lanesMax: 3,
    work: async ({ lane }) => {
      most = Math.max(most, ++running)
      if (lane === 'hangs') await new Promise<void>((resolve) => (release = resolve))
      else await turn()
      running--
      finished.push(lane)
    },
  })
  push('hangs', 0)
  for (let id = 0; id < 20; id++) push(`lane ${id}`, id)
  while (finished.length < 20) await turn()
  assert.equal(finished.includes('hangs'), false)
  assert.equal(most, 3)
  release()
  await queue.idle()
  assert.equal(finished.length, 21)
})

test('a queue at its limit of jobs keeps them all; one more drops the oldest', async () => {
  const { queue, done, dropped, push } = world({ jobsMax: 3 })
  for (const id of [1, 2, 3]) push(`lane ${id}`, id)
  assert.deepEqual(dropped, [])
  push('lane 4', 4)
  assert.deepEqual(ids(dropped), [1])
  await queue.idle()
  assert.deepEqual(ids(done), [2, 3, 4])
})

test('a queue at its limit of bytes keeps them all; one more byte drops the oldest', async () => {
  const { queue, done, dropped, push } = world({ bytesMax: 10 })
  push('a', 1, 5)
  push('b', 2, 5)
  assert.deepEqual(dropped, [])
  push('c', 3, 1)
  assert.deepEqual(ids(dropped), [1])
  await queue.idle()
  assert.deepEqual(ids(done), [2, 3])
})

test('a job of the whole size is kept, a larger one is dropped and pushes nothing else out', async () => {
  const { queue, done, dropped, push } = world({ bytesMax: 10 })
  push('a', 1, 11)
  assert.deepEqual(ids(dropped), [1])
  push('a', 2, 10)
  await queue.idle()
  assert.deepEqual(ids(done), [2])
})

test('what waits behind a hanging job is bounded, and the newest survive', async () => {
  let release = (): void => {}
  const done: number[] = []
  const { queue, dropped, push } = world({
    jobsMax: 5,
    work: ({ id }) => (id === 0 ? new Promise<void>((resolve) => (release = resolve)) : void done.push(id)),
  })
  push('a', 0)
  await turn()
  await turn()
  for (let id = 1; id <= 5_000; id++) push('a', id)
  assert.equal(queue.size, 5)
  assert.equal(dropped.length, 4_995)
  release()
  await queue.idle()
  assert.deepEqual(done, [4_996, 4_997, 4_998, 4_999, 5_000])
})

test('cleared, it forgets what waits and is idle when what runs is done', async () => {
  let release = (): void => {}
  const { queue, push } = world({ work: () => new Promise<void>((resolve) => (release = resolve)) })
  push('a', 1)
  push('a', 2)
  await turn()
  await turn()
  queue.clear()
  let isIdle = false
  const idle = queue.idle().then(() => (isIdle = true))
  await turn()
  assert.equal(isIdle, false)
  release()
  await idle
  assert.equal(queue.size, 0)
})

test('a long run of jobs that finish at once lets the event loop have its turns', async () => {
  let turns = 0
  const { queue, push } = world({
    jobsMax: 1_000,
    work: () => {
      for (const until = performance.now() + 1; performance.now() < until; );
    },
  })
  for (let id = 0; id < 60; id++) push(`lane ${id}`, id)
  const counting = setInterval(() => turns++, 1)
  await queue.idle()
  clearInterval(counting)
  assert.ok(turns >= 3, `${turns} turns`)
})

test('a lane whose jobs were all dropped while it was ready keeps its order afterwards', async () => {
  let overlap = 0
  const running = new Set<string>()
  const finished: number[] = []
  const { queue, push } = world({
    jobsMax: 2,
    lanesMax: 2,
    work: async ({ lane, id }) => {
      if (running.has(lane)) overlap++
      running.add(lane)
      await sleep(id % 2 === 0 ? 6 : 1)
      running.delete(lane)
      if (lane === 'a') finished.push(id)
    },
  })
  push('x', 100)
  push('y', 101)
  await turn()
  push('a', 1) // ready, both lanes are busy
  push('b', 102)
  push('b', 103) // a's only job is dropped
  push('a', 2)
  push('a', 3)
  await queue.idle()
  assert.equal(overlap, 0)
  assert.deepEqual(finished, [2, 3])
})

test('a job of a free lane runs without a wait, and holds its lane until it is done', async () => {
  let release = (): void => {}
  const done: number[] = []
  const { queue, push } = world({
    work: ({ id }) => {
      done.push(id)
      return id === 2 ? new Promise<void>((resolve) => (release = resolve)) : undefined
    },
  })
  assert.equal(queue.isFree('a'), true)
  assert.equal(queue.runNow('a', { lane: 'a', id: 1 }), true)
  assert.equal(queue.isFree('a'), true)
  assert.equal(queue.runNow('a', { lane: 'a', id: 2 }), false)
  assert.deepEqual([queue.isFree('a'), queue.isFree('b')], [false, true])
  push('a', 3)
  await turn()
  assert.deepEqual(done, [1, 2])
  release()
  await queue.idle()
  assert.deepEqual(done, [1, 2, 3])
})

test('no lane is free while jobs wait, or while as many lanes run as may', () => {
  const { queue, push } = world({ lanesMax: 1, work: () => new Promise<void>(() => {}) })
  queue.runNow('a', { lane: 'a', id: 1 })
  assert.equal(queue.isFree('b'), false)
  const waiting = world()
  waiting.push('a', 1)
  assert.equal(waiting.queue.isFree('b'), false)
  push('a', 2)
})
