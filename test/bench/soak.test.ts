import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../support/daemon.js'

interface Totals {
  readonly twice: number
  readonly again: number
  readonly lostQuietly: number
}

interface Books {
  reader(name: string, reader: { qos: number; covers: (topic: string) => boolean }): void
  next(topic: string, qos: number): number
  acknowledged(topic: string, number: number): void
  unsure(topic: string, number: number): void
  heard(reader: string, topic: string, number: number): void
  missing(): readonly { reader: string; topic: string; numbers: number[] }[]
  totals(): readonly [Totals, Totals, Totals]
  readonly strange: readonly string[]
}

interface Memory {
  judgeMemory(samples: readonly { ms: number; mb: number }[]): { isJudged: boolean; isFlat: boolean }
}

const at = (path: string) => join(root, 'bench', path)
const { Ledger } = (await import(at('soak/ledger.mjs'))) as { Ledger: new (isQuiet: () => boolean) => Books }
const { judgeMemory } = (await import(at('soak/memory.mjs'))) as Memory

function booksOf(...readers: string[]): Books {
  const books = new Ledger(() => true)
  for (const name of readers) books.reader(name, { qos: 2, covers: () => true })
  return books
}

test('the books of a soak miss what was acknowledged and has not come to one of its readers', () => {
  const books = booksOf('kitchen', 'attic')
  for (let count = 0; count < 3; count++) books.acknowledged('lamp', books.next('lamp', 1))
  for (const number of [1, 2, 3]) books.heard('kitchen', 'lamp', number)
  for (const number of [1, 3]) books.heard('attic', 'lamp', number)

  assert.deepEqual(books.missing(), [{ reader: 'attic', topic: 'lamp', numbers: [2] }])
  books.heard('attic', 'lamp', 2)
  assert.deepEqual(books.missing(), [])
})

test('the books of a soak do not miss what nobody has promised to keep, whether it comes or not', () => {
  const books = booksOf('kitchen')
  for (const number of [books.next('lamp', 1), books.next('lamp', 1)]) books.unsure('lamp', number)
  books.heard('kitchen', 'lamp', 2)

  assert.deepEqual(books.missing(), [])
  assert.deepEqual(books.strange, [])
})

test('the books of a soak mind what comes twice with QoS 2, and tell it with QoS 1', () => {
  const books = booksOf('kitchen')
  for (const [topic, qos] of [
    ['door', 1],
    ['lamp', 2],
  ] as const) {
    books.acknowledged(topic, books.next(topic, qos))
    books.heard('kitchen', topic, 1)
    books.heard('kitchen', topic, 1)
  }
  assert.deepEqual(
    books.totals().map(({ twice, again }) => ({ twice, again })),
    [
      { twice: 0, again: 0 },
      { twice: 0, again: 1 },
      { twice: 1, again: 0 },
    ],
  )
  assert.deepEqual(books.strange, ['kitchen has heard 1 on lamp twice'])
})

test('the books of a soak mind what was never sent', () => {
  const books = booksOf('kitchen')
  books.next('lamp', 1)
  books.heard('kitchen', 'lamp', 2)
  assert.deepEqual(books.strange, ['kitchen has heard 2 on lamp'])
})

const life = (minutes: number, mb: (minute: number) => number) =>
  Array.from({ length: minutes * 6 }, (_, index) => ({ ms: index * 10_000, mb: mb(index / 6) }))

for (const { title, samples, isFlat, isJudged = true } of [
  { title: 'stays', samples: life(45, () => 100), isFlat: true },
  { title: 'has some high minutes', samples: life(45, (m) => (m % 10 > 8 ? 140 : 100)), isFlat: true },
  {
    title: 'grows in the first minutes alone',
    samples: life(45, (m) => 60 + Math.min(m, 5) * 10),
    isFlat: true,
  },
  { title: 'grows by half a megabyte a minute', samples: life(45, (m) => 100 + m / 2), isFlat: false },
  { title: 'makes a step at the end', samples: life(45, (m) => (m > 35 ? 130 : 100)), isFlat: false },
  {
    title: 'grows for too short a time',
    samples: life(10, (m) => 100 + m * 5),
    isFlat: true,
    isJudged: false,
  },
])
  test(`memory that ${title} is ${isJudged ? '' : 'not judged, '}${isFlat ? 'flat' : 'not flat'}`, () => {
    const judged = judgeMemory(samples)
    assert.deepEqual({ isJudged: judged.isJudged, isFlat: judged.isFlat }, { isJudged, isFlat })
  })

test('a soak refuses a time that is none', async () => {
  const argv = [at('soak.mjs'), '--hours', 'long']
  await assert.rejects(promisify(execFile)(process.execPath, argv), /long: how many hours, or minutes\?/)
})
