import assert from 'node:assert/strict'
import { cp, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { message, openJournal, queueOf, restoredFrom } from '../../support/journal.js'
import { tempFolder } from '../../support/temp-folder.js'
import { until } from '../../support/until.js'

const gone = /^the store is gone: .*; restart Damselfly$/

test('a store whose folder is deleted keeps nothing more, and says so once; the next start has a new one', async (context) => {
  const dataDir = await tempFolder(context)
  const { journal, log } = await openJournal(context, dataDir)
  await queueOf(journal, 10)
  await rm(dataDir, { recursive: true })
  let topics = 0
  const told = () => log.lines.filter((line) => gone.test(line.message)).length
  await until('it is told', async () => {
    journal.putRetained(message(`${topics++}`), true)
    await journal.flush()
    return told() > 0
  })
  const { kept, open } = journal
  assert.ok(kept < open)
  await mkdir(join(dataDir, 'broker'), { recursive: true })
  await new Promise((resolve) => setTimeout(resolve, 2_500))
  assert.deepEqual([journal.kept, told()], [kept, 1])
  await journal.close()
  assert.deepEqual(await restoredFrom(context, dataDir), { retained: [], sessions: [] })
})

const losses = {
  'whose files are deleted, and its folder is left': async (path: string) => {
    for (const file of await readdir(path)) await rm(join(path, file))
  },
  'whose folder is deleted and made again at once': async (path: string) => {
    await rm(path, { recursive: true })
    await mkdir(path)
  },
  'whose files are replaced by copies': async (path: string) => {
    await cp(path, `${path}-copy`, { recursive: true })
    for (const file of await readdir(path)) await rm(join(path, file))
    await cp(`${path}-copy`, path, { recursive: true })
  },
}

for (const [whose, lose] of Object.entries(losses))
  test(`a store ${whose}, keeps nothing more, and says so`, async (context) => {
    const dataDir = await tempFolder(context)
    const { journal, log } = await openJournal(context, dataDir)
    await queueOf(journal, 10)
    await lose(join(dataDir, 'broker'))
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    const { kept } = journal
    journal.putRetained(message('lost'), true)
    await until('it is told', () => log.lines.some((line) => gone.test(line.message)))
    assert.equal(journal.kept, kept)
  })

test('a store whose folder was taken away for a while goes on when it is back, and loses nothing', async (context) => {
  const dataDir = await tempFolder(context)
  const { journal, log } = await openJournal(context, dataDir)
  await queueOf(journal, 10)
  const [path, away] = [join(dataDir, 'broker'), join(dataDir, 'away')]
  await rename(path, away)
  let topics = 0
  await until('it is told', async () => {
    journal.putRetained(message(`${topics++}`), true)
    await journal.flush()
    return log.lines.some((line) => gone.test(line.message))
  })
  await rename(away, path)
  journal.putRetained(message(`${topics++}`), true)
  const { open } = journal
  await until('it is kept', () => journal.kept >= open, 10_000)
  await journal.close()
  const { retained, sessions } = await restoredFrom(context, dataDir)
  assert.deepEqual([retained.length, sessions[0]?.deliveries.length], [topics, 10])
})
