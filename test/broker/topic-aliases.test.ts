import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TopicAliases } from '#src/broker/topic-aliases.js'

test('as many topics as the client takes have an alias, from the second message on instead of the topic; the next one has none', () => {
  const aliases = new TopicAliases(2)
  assert.deepEqual(aliases.aliasOf('a'), { alias: 1, isKnown: false })
  assert.deepEqual(aliases.aliasOf('b'), { alias: 2, isKnown: false })
  assert.deepEqual(aliases.aliasOf('a'), { alias: 1, isKnown: true })
  assert.equal(aliases.aliasOf('c'), undefined)
})

test('an alias that the client has not been told is told with the next message, or is another topic’s', () => {
  const aliases = new TopicAliases(1)
  aliases.aliasOf('a')
  aliases.forget('a')
  assert.deepEqual(aliases.aliasOf('b'), { alias: 1, isKnown: false })
  assert.equal(aliases.aliasOf('a'), undefined)
})
