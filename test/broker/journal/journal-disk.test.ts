import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { message, openJournal, queueOf, restoredFrom, session } from '../../support/journal.js'
import { missing } from '../../support/tools.js'
import { until } from '../../support/until.js'

const skip = missing('root', 'mount')
const failed = 'the store cannot be written, trying again'
const works = 'the store is written again'

/** A disk of its own, and what fills it. */
async function smallDisk(context: TestContext): Promise<{ dataDir: string; ballast: string }> {
  const disk = await mkdtemp(join(tmpdir(), 'damselfly-disk-'))
  context.after(async () => {
    execFileSync('umount', ['-l', disk])
    await rm(disk, { recursive: true })
  })
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', disk])
  return { dataDir: join(disk, 'data'), ballast: join(disk, 'ballast') }
}

async function fill(ballast: string): Promise<void> {
  await writeFile(ballast, Buffer.alloc(40 * 1024 * 1024)).catch(() => {})
}

test('a full disk keeps nothing and loses nothing: it is told once, tried again, and told when it works', {
  skip,
}, async (context) => {
  const { dataDir, ballast } = await smallDisk(context)
  const { journal, log, counters } = await openJournal(context, dataDir, 'power')
  const number = await queueOf(journal, 10)
  await fill(ballast)
  const { kept } = journal
  const payload = Buffer.alloc(100_000, 'x')
  for (let i = 0; i < 30; i++) {
    journal.putRetained(message(`large/${i}`, { payload }), true)
    await journal.flush()
  }
  await until('a write fails', () => counters.get('store.failedWrites') > 0)
  const { kept: keptThen, open } = journal
  await sleep(2_500)
  assert.ok(counters.get('store.failedWrites') > 1, 'it is tried again')
  assert.equal(journal.kept, keptThen)
  journal.putSession(session(number, { disconnectedAtMs: 7 }))
  assert.equal(log.having(failed).length, 1)

  await rm(ballast)
  await until('it is kept', () => journal.kept >= open, 20_000)
  await journal.flush()
  assert.equal(log.having(works).length, 1)
  assert.ok(journal.kept > kept)
  await journal.close()
  const { retained, sessions } = await restoredFrom(context, dataDir)
  assert.equal(retained.length, 30)
  assert.deepEqual([sessions[0]?.record.disconnectedAtMs, sessions[0]?.deliveries.length], [7, 10])
})

test('a journal closes while the disk is full, with what it could keep', { skip }, async (context) => {
  const { dataDir, ballast } = await smallDisk(context)
  const { journal } = await openJournal(context, dataDir, 'power')
  await queueOf(journal, 10)
  await fill(ballast)
  journal.putRetained(message('large', { payload: Buffer.alloc(1_000_000) }), true)
  await journal.close()
  await rm(ballast)
  const { retained, sessions } = await restoredFrom(context, dataDir)
  assert.deepEqual([retained.length, sessions[0]?.deliveries.length], [0, 10])
})

test('on a full disk it starts on its reserve, with all that was kept; without one it says why not', {
  skip,
}, async (context) => {
  const { dataDir, ballast } = await smallDisk(context)
  const { journal } = await openJournal(context, dataDir)
  await queueOf(journal, 10)
  await journal.close()
  assert.ok((await readdir(dataDir)).includes('reserve'))

  await fill(ballast)
  const { journal: second, restored, log } = await openJournal(context, dataDir)
  assert.match(log.lines.map((line) => line.message).join('\n'), /started on the last reserve/)
  assert.equal(restored.sessions[0]?.deliveries.length, 10)
  await second.close()

  await fill(ballast)
  await rm(join(dataDir, 'reserve'), { force: true })
  await fill(ballast)
  await assert.rejects(openJournal(context, dataDir), { code: 'STORE_FAILED', message: /the disk is full/ })

  await rm(ballast)
  await restoredFrom(context, dataDir)
  assert.ok((await readdir(dataDir)).includes('reserve'), 'with room there is a reserve again')
})
