import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readStore } from '#src/broker/journal/read-store.js'
import { message, openJournal, queueOf, restoredFrom, subscription } from '../../support/journal.js'
import { tempFolder } from '../../support/temp-folder.js'

test('what is read without LevelDB is what LevelDB finds: in tables and logs, the latest of each, and nothing that was deleted', async (context) => {
  const dataDir = await tempFolder(context)
  const store = join(dataDir, 'broker')
  for (let life = 0; life < 3; life++) {
    const { journal } = await openJournal(context, dataDir)
    const number = await queueOf(journal, 20)
    journal.putSubscription(number, subscription('é/#'), true)
    for (let round = 0; round < 4; round++) {
      for (let topic = 0; topic < 100; topic++) {
        const payload = Buffer.alloc(10_000, `${life} ${round} ${topic} `)
        journal.putRetained(message(`t/${topic}`, { payload }))
        if ((topic + round) % 7 === 0) journal.deleteRetained(`t/${topic}`)
      }
      await journal.flush()
    }
    await journal.close()
  }
  const files = await readdir(store)
  assert.ok(
    files.some((file) => file.endsWith('.ldb')), // how many, depends on what LevelDB has merged by now
    'there are tables',
  )
  const { state, next, records } = await readStore(store)
  const found = await restoredFrom(context, dataDir)
  assert.deepEqual(state, found)
  assert.ok(records > 100 && next !== undefined)
})

test('a store that is not whole is not read so', async (context) => {
  const dataDir = await tempFolder(context)
  const store = join(dataDir, 'broker')
  await assert.rejects(readStore(store), { code: 'ENOENT' })
  const { journal } = await openJournal(context, dataDir)
  for (let topic = 0; topic < 40; topic++) {
    journal.putRetained(message(`t/${topic}`, { payload: Buffer.alloc(100_000, 'x') }), true)
    await journal.flush()
  }
  await journal.close()
  await restoredFrom(context, dataDir) // makes tables of logs
  for (const file of await readdir(store)) {
    const bytes = await readFile(join(store, file))
    if (file.endsWith('.ldb')) await writeFile(join(store, file), bytes.subarray(0, bytes.length - 1))
  }
  await assert.rejects(readStore(store), RangeError)
})
