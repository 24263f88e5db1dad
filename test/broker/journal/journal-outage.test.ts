import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { limits, setLimits } from '#src/core/limits.js'
import { message, openJournal } from '../../support/journal.js'
import { tempFolder } from '../../support/temp-folder.js'
import { until } from '../../support/until.js'

afterEach(() => setLimits({}))

/** What a message takes beside its bytes, as a batch counts it. */
const messageBytes = 250

test('messages that wait to be written are counted; the bound is full with one byte more, and empty when they are kept', async (context) => {
  const { journal, counters } = await openJournal(context, await tempFolder(context))
  const payload = Buffer.alloc(limits.unkeptBytesMax - messageBytes - 't'.length)
  journal.putRetained(message('t', { payload }), true)
  assert.equal(journal.isFull, false)
  journal.putRetained(message('t', { payload: Buffer.alloc(payload.length + 1) }), true)
  assert.equal(journal.isFull, true)
  journal.refused()
  assert.deepEqual([counters.get('unkeptBytesMax'), counters.get('store.refused')], [1, 1])
  journal.deleteRetained('t')
  assert.equal(journal.isFull, false)
  const body = journal.putBody(message('b', { payload: Buffer.alloc(limits.unkeptBytesMax) }))
  assert.equal(journal.isFull, true)
  body.references++
  await journal.flush()
  assert.deepEqual([journal.isFull, journal.kept], [false, 1])
})

test('a write that takes too long is told, nothing can be kept then, and it is over when the write is done', async (context) => {
  const { journal, log } = await openJournal(context, await tempFolder(context), 'power')
  let barred = 0
  journal.onBarred = () => barred++
  const large = (name: string): void => {
    for (let part = 0; part < 40; part++)
      journal.putRetained(message(`${name}/${part}`, { payload: Buffer.alloc(100_000) }), true)
  }
  large('slow')
  await journal.flush()
  assert.deepEqual([barred, log.lines], [0, []], 'it may take a while')
  setLimits({ keepMsMax: 1 })
  large('late')
  await until('it is late', () => barred > 0)
  await until('it is kept', () => journal.kept === 2)
  assert.deepEqual([journal.isBarred, barred], [false, 1])
  await journal.close()
  assert.deepEqual(
    log.lines.map(({ level }) => level),
    ['warn', 'info'],
  )
})
