import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Turn } from '#src/rules/turn.js'
import { rule, step } from '../support/rules.js'
import { rulesWorld, settle } from '../support/rules-world.js'

test('what is added runs in its order when the turn is closed, and not before', () => {
  const turn = new Turn<number>()
  const ran: number[] = []
  const taker = { runNow: (job: number) => void ran.push(job) }
  assert.equal(turn.isOpen, false)
  turn.open()
  assert.equal(turn.isOpen, true)
  turn.add(taker, 1)
  turn.add(taker, 2)
  assert.deepEqual(ran, [])
  turn.close()
  assert.deepEqual([ran, turn.isOpen], [[1, 2], false])
})

test('a job that brings another message does not open the turn a second time', () => {
  const turn = new Turn<number>()
  const seen: boolean[] = []
  const taker = {
    runNow() {
      turn.open()
      seen.push(turn.isOpen)
      turn.close()
    },
  }
  turn.open()
  turn.add(taker, 1)
  turn.add(taker, 2)
  turn.close()
  assert.deepEqual(seen, [false, false])
})

test('jobs that have used up their time leave the next ones to a later turn of the event loop', async () => {
  const turn = new Turn<number>()
  const slow = {
    runNow() {
      for (const untilMs = performance.now() + 10; performance.now() < untilMs; );
    },
  }
  turn.open()
  turn.add(slow, 1)
  turn.close()
  turn.open()
  assert.equal(turn.isOpen, false)
  await nextTurn()
  turn.open()
  assert.equal(turn.isOpen, true)
})

test('all rules have seen a message before the first of them acts on it', async (context) => {
  const did: string[] = []
  const seeing = { text: 'true', test: () => ({ holds: did.push('seen') > 0 }) }
  const act = step(() => void did.push('done'))
  const { publish } = await rulesWorld(context, [
    rule('first', 'a', [act], { condition: seeing }),
    rule('second', 'a', [act], { condition: seeing }),
  ])
  await publish('a')
  assert.deepEqual(did, ['seen', 'seen', 'done', 'done'])
})

test('a step that is done at once is done before the next message of its topic is looked at', async (context) => {
  const did: unknown[] = []
  const act = step(({ payload }) => void did.push(payload))
  const { publish } = await rulesWorld(context, [rule('r', 'a', [act])])
  await publish('a', '1')
  assert.deepEqual(did, [1])
  await publish('a', '2')
  await settle()
  assert.deepEqual(did, [1, 2])
})
