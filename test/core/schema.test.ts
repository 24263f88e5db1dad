import assert from 'node:assert/strict'
import { test } from 'node:test'
import { schemaTools } from '#src/core/schema.js'

const z = schemaTools({ outputs: new Set(['lamp', 'pump']) })

test('a duration becomes milliseconds, and its default is written the same way', () => {
  const schema = z.object({ for: z.duration().default('200ms') })
  assert.deepEqual(schema.parse({}), { for: 200 })
  assert.deepEqual(schema.parse({ for: '1m' }), { for: 60_000 })
  assert.equal(schema.safeParse({ for: 'soon' }).success, false)
  assert.equal(schema.safeParse({ for: 5 }).success, false)
})

test('an optional duration may be left out', () => {
  assert.deepEqual(z.object({ for: z.duration().optional() }).parse({}), {})
})

test('a pin must exist, and a near name is suggested', () => {
  assert.equal(z.pin().parse('lamp'), 'lamp')
  const { error } = z.pin().safeParse('lmap')
  assert.match(error?.issues[0]?.message ?? '', /no output pin is named "lmap"; output pins are lamp, pump/)
  const issue = error?.issues[0] as { params?: { suggestion?: string } } | undefined
  assert.equal(issue?.params?.suggestion, 'lamp')
})

test('without facts every pin name passes', () => {
  assert.equal(schemaTools().pin().parse('anything'), 'anything')
})

test('topics and filters are told apart', () => {
  assert.equal(z.filter().parse('a/+'), 'a/+')
  assert.equal(z.topic().safeParse('a/+').success, false)
  assert.equal(z.filter().safeParse('a+').success, false)
})

test('the house nouns leave zod itself as it is', () => {
  assert.equal(z.string().parse('x'), 'x')
  assert.deepEqual(z.object({ a: z.number().default(1) }).parse({}), { a: 1 })
})
