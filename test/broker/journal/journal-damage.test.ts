import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, open, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import { delivery, message, openJournal, queueOf, session } from '../../support/journal.js'
import type { MemoryLog } from '../../support/memory-log.js'
import { tempFolder } from '../../support/temp-folder.js'

const count = 400

/** A store with messages in tables, and some more in the log. */
async function madeStore(context: TestContext): Promise<string> {
  const dataDir = await tempFolder(context)
  const { journal } = await openJournal(context, dataDir)
  for (let i = 0; i < count; i++) {
    const payload = Buffer.from(Array.from({ length: 200 }, () => Math.random() * 256)) // not to be compressed
    journal.putRetained(message(`retained/${i}`, { payload }), true)
  }
  await queueOf(journal, count)
  await journal.close()
  const level = new ClassicLevel(join(dataDir, 'broker'), { compression: false })
  await level.compactRange('\0', '~')
  await level.close()
  const { journal: again } = await openJournal(context, dataDir)
  again.putRetained(message('late'), true)
  await again.close()
  return dataDir
}

async function filesOf(dataDir: string, ending: RegExp): Promise<string[]> {
  const folder = join(dataDir, 'broker')
  const files = (await readdir(folder)).filter((file) => ending.test(file))
  assert.notEqual(files.length, 0, `${ending}`)
  return files.map((file) => join(folder, file))
}

async function asideOf(dataDir: string): Promise<string[]> {
  return (await readdir(dataDir)).filter((name) => name.startsWith('broker.damaged-'))
}

function tells(log: MemoryLog, message: string): boolean {
  return log.having(message).length === 1
}

const damaged = 'store is damaged: a copy is set aside, saving what can be saved'
const saved = 'this much of the damaged store was saved'

for (const [title, ending] of [
  ['its file CURRENT is gone', /^CURRENT$/],
  ['its MANIFEST is gone', /^MANIFEST/],
] as const) {
  test(`a store of which ${title} is saved whole, and a copy set aside`, async (context) => {
    const dataDir = await madeStore(context)
    for (const file of await filesOf(dataDir, ending)) await rm(file)
    const { journal, restored, log } = await openJournal(context, dataDir)
    assert.equal(restored.retained.length, count + 1)
    assert.equal(restored.sessions[0]?.deliveries.length, count)
    assert.ok(tells(log, damaged) && tells(log, saved), JSON.stringify(log.lines))
    assert.equal((await asideOf(dataDir)).length, 1)
    journal.putRetained(message('after'), true)
    await journal.close()
    const { restored: again, log: quiet } = await openJournal(context, dataDir)
    assert.equal(again.retained.length, count + 2)
    assert.deepEqual(quiet.lines, [])
  })
}

test('a store whose files are all empty is set aside, and a new one begun', async (context) => {
  const dataDir = await madeStore(context)
  for (const file of await filesOf(dataDir, /./)) await writeFile(file, '')
  const { journal, restored, log } = await openJournal(context, dataDir)
  assert.deepEqual(restored, { retained: [], sessions: [] })
  assert.ok(tells(log, damaged), JSON.stringify(log.lines))
  await queueOf(journal, 1)
  assert.equal(journal.kept, 1)
})

test('a table that is empty costs what was in it, and no more', async (context) => {
  const dataDir = await madeStore(context)
  const [table] = await filesOf(dataDir, /\.ldb$/)
  assert.ok(table)
  await truncate(table, 0)
  const { restored, log } = await openJournal(context, dataDir)
  assert.ok(tells(log, damaged) && tells(log, saved), JSON.stringify(log.lines))
  assert.ok(restored.retained.length <= count + 1)
})

test('a log that ends early costs its last records only', async (context) => {
  const dataDir = await tempFolder(context)
  const { journal } = await openJournal(context, dataDir)
  for (let i = 0; i < 10; i++) {
    journal.putRetained(message(`${i}`), true)
    await journal.flush()
  }
  await journal.close()
  const logs = await filesOf(dataDir, /\.log$/)
  const sizes = await Promise.all(logs.map(async (file) => (await stat(file)).size))
  await truncate(logs[0] as string, (sizes[0] as number) - 20)
  const { restored } = await openJournal(context, dataDir)
  assert.equal(restored.retained.length, 9)
})

test('a wrong byte in a log costs the batch that it is in; a copy is set aside, and all else is saved', async (context) => {
  for (const at of [0.02, 0.3, 0.5, 0.7, 0.9]) {
    const dataDir = await tempFolder(context)
    const { journal } = await openJournal(context, dataDir)
    const payload = Buffer.alloc(1_000, 'x')
    for (let i = 0; i < 200; i++) {
      // some larger than a block of the log
      journal.putRetained(
        message(`${i}`, { payload: i % 20 === 7 ? Buffer.alloc(50_000, 'y') : payload }),
        true,
      )
      await journal.flush()
    }
    await journal.close()
    const [file] = await filesOf(dataDir, /\.log$/)
    const { size } = await stat(file as string)
    await flip(file as string, Math.floor(size * at))
    const { restored, log, journal: next } = await openJournal(context, dataDir)
    assert.equal(restored.retained.length, 199, JSON.stringify(log.lines))
    for (const { payload: found } of restored.retained)
      assert.ok([1_000, 50_000].includes(found.length) && found.every((byte) => byte === found[0]))
    const [line] = log.having(saved)
    assert.ok(Number(line?.fields['lostBytes']) >= 1_000)
    assert.ok(Number(line?.fields['lostBytes']) < 60_000, JSON.stringify(line))
    assert.equal((await asideOf(dataDir)).length, 1)
    next.putRetained(message('after'), true)
    await next.close()
    const { restored: again, log: quiet } = await openJournal(context, dataDir)
    assert.equal(again.retained.length, 200)
    assert.deepEqual(quiet.lines, [])
  }
})

test('a last batch that is not whole, as a power cut leaves it, is left out and told, and is no damage', async (context) => {
  const dataDir = await tempFolder(context)
  const { journal } = await openJournal(context, dataDir)
  await queueOf(journal, 10)
  await queueOf(journal, 10)
  await journal.close()
  const [file] = await filesOf(dataDir, /\.log$/)
  await flip(file as string, (await stat(file as string)).size - 10)
  const { restored, log } = await openJournal(context, dataDir)
  const [line] = log.having('the last write to the store had not ended, and is left out')
  assert.ok(Number(line?.fields['tornBytes']) > 0, JSON.stringify(log.lines))
  assert.equal(line?.level, 'warn')
  assert.equal(log.lines.length, 1)
  assert.equal(restored.sessions.length, 1)
  assert.deepEqual(await asideOf(dataDir), [])
})

test('a log that ends with zeros, as a power cut may leave it, is not damaged', async (context) => {
  const dataDir = await tempFolder(context)
  const { journal } = await openJournal(context, dataDir)
  await queueOf(journal, 10)
  await journal.close()
  const [file] = await filesOf(dataDir, /\.log$/)
  await appendFile(file as string, Buffer.alloc(100_000))
  const { restored, log } = await openJournal(context, dataDir)
  assert.equal(restored.sessions[0]?.deliveries.length, 10)
  assert.deepEqual(log.lines, [])
})

test('a store whose log is gone is told to be damaged, and a copy set aside', async (context) => {
  const dataDir = await madeStore(context)
  for (const file of await filesOf(dataDir, /\.log$/)) await rm(file)
  const { restored, log } = await openJournal(context, dataDir)
  assert.ok(tells(log, damaged) && tells(log, saved), JSON.stringify(log.lines))
  assert.equal((await asideOf(dataDir)).length, 1)
  assert.equal(restored.retained.length, count)
})

test('a wrong byte in a table costs the records of its block; what depends on those is dropped', async (context) => {
  for (let round = 0; round < 12; round++) {
    const dataDir = await madeStore(context)
    const [table] = await filesOf(dataDir, /\.ldb$/)
    const { size } = await stat(table as string)
    await flip(table as string, Math.floor(Math.random() * size))
    const { restored, journal } = await openJournal(context, dataDir)
    assert.ok(restored.retained.length > count * 0.75, `${restored.retained.length} are left`)
    for (const { topic, payload } of restored.retained)
      assert.ok(topic === 'late' || (/^retained\/\d+$/.test(topic) && payload.length === 200), topic)
    for (const { record, deliveries } of restored.sessions) {
      assert.equal(record.clientId, `client-${record.number}`)
      for (const { order, message: found, delivery: one } of deliveries) {
        assert.equal(found.topic, `queued/${order}`)
        assert.deepEqual(one, delivery())
      }
    }
    journal.putSession(session(journal.newSessionNumber()))
    await journal.flush()
    assert.equal(journal.kept, 1)
    await journal.close()
  }
})

test('a table without its index is saved', async (context) => {
  const dataDir = await madeStore(context)
  const [table] = await filesOf(dataDir, /\.ldb$/)
  const { size } = await stat(table as string)
  await flip(table as string, size - 1)
  const { restored, log } = await openJournal(context, dataDir)
  assert.equal(restored.retained.length, count + 1, JSON.stringify(log.lines))
  assert.equal(restored.sessions[0]?.deliveries.length, count)
})

test('a store that another one holds is not touched, damaged as it may be', async (context) => {
  const dataDir = await madeStore(context)
  const argv = [join(import.meta.dirname, '../../support/journal-program.js'), dataDir, 'crash', '100000']
  const holder = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  context.after(() => holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')
  await rm(join(dataDir, 'broker', 'CURRENT'))
  await assert.rejects(openJournal(context, dataDir), { code: 'STORE_FAILED', message: /another Damselfly/ })
  const [table] = await filesOf(dataDir, /\.ldb$/)
  await truncate(table as string, 100)
  await assert.rejects(openJournal(context, dataDir), { code: 'STORE_FAILED', message: /another Damselfly/ })
  assert.deepEqual(await asideOf(dataDir), [])
})

test('a record that cannot be read is skipped, counted and told', async (context) => {
  const dataDir = await madeStore(context)
  const level = new ClassicLevel<Buffer, Buffer>(join(dataDir, 'broker'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  const [key] = await level.keys({ gte: Buffer.from([0x10]), limit: 1 }).all()
  await level.put(key as Buffer, Buffer.from('nonsense'))
  await level.close()
  const { restored, log, journal } = await openJournal(context, dataDir)
  assert.equal(restored.retained.length, count)
  const [line] = log.having('some of the store could not be read, and is lost')
  assert.equal(line?.fields['damagedRecords'], 1)
  await journal.close()
  assert.deepEqual((await openJournal(context, dataDir)).log.lines, [], 'it is told once')
})

test('a store of a later version is refused, and left as it is', async (context) => {
  const dataDir = await madeStore(context)
  const level = new ClassicLevel<Buffer, Buffer>(join(dataDir, 'broker'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  // key 01, version 3, no fields, and the checksum of those two bytes
  await level.put(Buffer.from([1]), Buffer.from('03c1cb7204', 'hex'))
  await level.close()
  await assert.rejects(openJournal(context, dataDir), {
    code: 'STORE_FAILED',
    message: /a later version of Damselfly wrote it/,
  })
  assert.deepEqual(await asideOf(dataDir), [])
})

async function flip(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, at)
  byte.writeUInt8(byte.readUInt8(0) ^ 0x5a)
  await file.write(byte, 0, 1, at)
  await file.close()
}
