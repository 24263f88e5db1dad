import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { damagedFiles } from '#src/broker/journal/manifest.js'
import { message, openJournal, queueOf, restoredFrom, session } from '../../support/journal.js'
import { missing } from '../../support/tools.js'
import { until } from '../../support/until.js'

const skip = missing('root', 'mount')
const program = join(import.meta.dirname, '../../support/full-disk-program.js')
const failed =
  'the store cannot be written: until it can be, what must be kept is refused, or waits for its answer'
const works = 'the store is written again'

/** A disk of its own, and what fills it. */
async function smallDisk(context: TestContext, size = '32m'): Promise<{ dataDir: string; ballast: string }> {
  const disk = await mkdtemp(join(tmpdir(), 'damselfly-disk-'))
  context.after(async () => {
    execFileSync('umount', ['-l', disk])
    await rm(disk, { recursive: true })
  })
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk])
  return { dataDir: join(disk, 'data'), ballast: join(disk, 'ballast') }
}

async function fill(ballast: string): Promise<void> {
  await writeFile(ballast, Buffer.alloc(40 * 1024 * 1024)).catch(() => {})
}

interface FullDisk {
  readonly found: number
  readonly kept: number
  readonly error: string | undefined
}

/** Starts a process that fills the disk with what waits for a session, and kills it when a write has failed. */
async function killedWhenFull(dataDir: string): Promise<FullDisk> {
  const child = spawn(process.execPath, [program, dataDir], { stdio: ['ignore', 'pipe', 'inherit'] })
  const closed = once(child, 'close')
  const [line] = await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await closed
  return JSON.parse(String(line))
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
  assert.equal(journal.isBarred, true)
  journal.refused()
  await sleep(2_500)
  assert.equal(journal.kept, keptThen)
  assert.equal(counters.get('store.failedWrites'), 1, 'without room it is not tried')
  journal.putSession(session(number, { disconnectedAtMs: 7 }))
  assert.equal(log.having(failed).length, 1)

  await rm(ballast)
  await until('it is kept', () => journal.kept >= open, 20_000)
  await journal.flush()
  assert.deepEqual([journal.isBarred, journal.state], [false, { isWritten: true }])
  assert.ok(journal.kept > kept)
  await journal.close()
  assert.deepEqual([log.having(failed).length, log.having(works).length], [1, 1])
  assert.equal(log.having(works)[0]?.fields['refused'], 1)
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

test('on a full disk it starts on its reserve, with all that was kept, and without one as well; it keeps when there is room', {
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
  const { journal: third, restored: again, log: told } = await openJournal(context, dataDir)
  assert.equal(again.sessions[0]?.deliveries.length, 10)
  assert.equal(third.isBarred, true)
  assert.match(String(told.having(failed)[0]?.fields['reason']), /^its disk is full: \d+ KiB are free$/)
  third.putRetained(message('meanwhile'), true)
  await rm(ballast)
  await until('it is kept', () => third.kept >= third.open - 1 && !third.isBarred)
  await third.flush()
  await third.close()
  assert.deepEqual([told.having(failed).length, told.having(works).length], [1, 1])
  const { retained, sessions } = await restoredFrom(context, dataDir)
  assert.deepEqual([retained.length, sessions[0]?.deliveries.length], [1, 10])
  assert.ok((await readdir(dataDir)).includes('reserve'), 'with room there is a reserve again')
})

test('with too little room to open the store all that was kept is read, and nothing written; with room it is opened', {
  skip,
}, async (context) => {
  const { dataDir } = await smallDisk(context, '12m')
  const { kept } = await killedWhenFull(dataDir)
  for (let start = 0; start < 2; start++) {
    const { journal, restored } = await openJournal(context, dataDir)
    assert.equal(journal.isBarred, true)
    assert.ok((restored.sessions[0]?.deliveries.length ?? 0) >= kept)
    await journal.close()
  }
  assert.deepEqual(await readdir(dataDir), ['broker'])
  assert.deepEqual(await damagedFiles(join(dataDir, 'broker')), [])

  execFileSync('mount', ['-o', 'remount,size=32m', dirname(dataDir)])
  const { sessions } = await restoredFrom(context, dataDir)
  assert.ok((sessions[0]?.deliveries.length ?? 0) >= kept)
})

test('a damaged store for whose mending there is no room stays as it is, and is mended when there is room', {
  skip,
}, async (context) => {
  const { dataDir, ballast } = await smallDisk(context, '48m')
  const { journal } = await openJournal(context, dataDir)
  const payload = Buffer.alloc(100_000, 'x')
  for (let i = 0; i < 150; i++) {
    journal.putRetained(message(`large/${i}`, { payload }), true)
    await journal.flush()
  }
  await journal.close()
  const store = join(dataDir, 'broker')
  for (const file of await readdir(store)) if (file.endsWith('.ldb')) await flipByte(join(store, file))
  const { bavail, bsize } = await statfs(dataDir)
  await writeFile(ballast, Buffer.alloc(bavail * bsize - 6 * 1024 * 1024))
  await assert.rejects(openJournal(context, dataDir), {
    code: 'STORE_FAILED',
    message: /it is damaged, and the disk is full/,
  })
  assert.deepEqual((await readdir(dataDir)).sort(), ['broker', 'reserve'])

  await rm(ballast)
  const { retained } = await restoredFrom(context, dataDir)
  assert.ok(retained.length > 100 && retained.length < 150, `${retained.length} are saved`)
})

async function flipByte(path: string): Promise<void> {
  const bytes = await readFile(path)
  bytes.writeUInt8(bytes.readUInt8(1_000) ^ 1, 1_000)
  await writeFile(path, bytes)
}
