import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import libsql from 'libsql'
import { storeAction } from '#src/actions/store.js'
import { StoreFile } from '#src/actions/store-file.js'
import { StoreThread } from '#src/actions/store-thread.js'
import { StoreWriter } from '#src/actions/store-writer.js'
import type { ActionDefinition } from '#src/core/action.js'
import { tickOf } from '#src/core/event.js'
import { limits, setLimits } from '#src/core/limits.js'
import { complaints, makeWorld, parse, type World } from '../support/actions-world.js'
import { root } from '../support/daemon.js'

const time = '2024-05-06T07:08:09.010Z'

function databaseOf(world: World): string {
  return join(world.dataDir, 'damselfly.db')
}

function remove(world: World): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(databaseOf(world) + suffix, { force: true })
}

function query(world: World, sql: string): unknown[] {
  const rows = new libsql(databaseOf(world)).prepare(sql).raw().safeIntegers().iterate()
  return [...rows]
}

/** The file's own writer, without the action around it. */
function writerIn(world: World): StoreWriter {
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  return new StoreWriter(new StoreThread(world.dataDir, log))
}

test('store makes the table and writes time, topic and payload as it came', async () => {
  await using world = await makeWorld()
  const store = storeAction()
  await world.run(store, { store: 'readings' }, { topic: 'a/b', payload: '{"t": 21.50}' })
  await world.run(store, { store: 'readings' }, { topic: 'a/c', payload: '' })
  assert.deepEqual(query(world, 'SELECT * FROM readings'), [
    [time, 'a/b', '{"t": 21.50}'],
    [time, 'a/c', ''],
  ])
  assert.deepEqual(query(world, 'PRAGMA journal_mode'), [['wal']])
})

test('store asks no name server for the names of those who are connected, when it loads its library', async () => {
  await using world = await makeWorld()
  const program = join(world.dataDir, 'program.mjs')
  writeFileSync(
    program,
    `import { storeAction } from '${pathToFileURL(join(root, 'dist/actions/store.js'))}'
    const store = storeAction()
    await store.start({ dataDir: import.meta.dirname, log: console })
    console.log(process.report.excludeNetwork)
    await store.stop()`,
  )
  const child = spawnSync(process.execPath, [program], { encoding: 'utf8' })
  assert.equal(child.stdout, 'true\n', child.stderr)
})

test('store holds no row any more that is written', async () => {
  await using world = await makeWorld()
  const program = join(world.dataDir, 'program.mjs')
  writeFileSync(
    program,
    `import { StoreThread } from '${pathToFileURL(join(root, 'dist/actions/store-thread.js'))}'
    const thread = new StoreThread(import.meta.dirname, console)
    const write = async (n) => {
      const cells = new Map([['payload', Buffer.alloc(256 * 1024, 97 + n % 26).toString()]])
      const problems = await thread.write([{ table: 'readings', cells }])
      if (problems[0] !== undefined) throw new Error(problems[0].reason)
    }
    const heap = () => (gc(), process.memoryUsage().heapUsed)
    await write(0)
    const before = heap()
    for (let n = 1; n <= 100; n++) await write(n)
    console.log(heap() - before)
    await thread.close()`,
  )
  const child = spawnSync(process.execPath, ['--expose-gc', program], { encoding: 'utf8' })
  const grown = Number.parseInt(child.stdout, 10)
  assert.ok(grown < 5 * 1024 * 1024, `100 rows of 256 KiB have left ${child.stdout} ${child.stderr}`)
})

test('a thread that has failed is started again after a pause; until then rows are refused with its reason, and the log says it once', async (context) => {
  context.after(() => setLimits({}))
  const lines: string[] = []
  const silent = (): void => {}
  const log = {
    debug: silent,
    info: silent,
    warn: silent,
    error: (_: object, text: string) => lines.push(text),
  }
  const thread = new StoreThread(5 as never, log) // no folder: the thread ends at once
  const problemOf = async () => (await thread.write([{ table: 'readings', cells: new Map() }]))[0]
  const isTried = /^the database cannot be opened: .*must be of type string/
  assert.match((await problemOf())?.reason ?? '', isTried)
  const refused = await problemOf()
  assert.match(refused?.reason ?? '', /^the thread that writes the database failed: .*must be of type string/)
  assert.equal(refused?.limit, 'storePauseMs')
  setLimits({ storePauseMs: 0 })
  assert.match((await problemOf())?.reason ?? '', isTried)
  assert.deepEqual(lines, ['the thread that writes the database failed'])
})

test('store keeps payloads that are no text as bytes', async () => {
  await using world = await makeWorld()
  const store = storeAction()
  for (const payload of [Buffer.from([0xff, 0xfe]), Buffer.from('a\0b')])
    await world.run(store, { store: 'raw' }, { payload })
  assert.deepEqual(query(world, 'SELECT typeof(payload), hex(payload) FROM raw'), [
    ['blob', 'FFFE'],
    ['blob', '610062'],
  ])
})

test('store writes values into columns of their own, each with its type', async () => {
  await using world = await makeWorld()
  const values = {
    whole: 21,
    real: 21.5,
    big: 2 ** 60,
    huge: 2n ** 70n,
    yes: true,
    nothing: null,
    word: "it's",
    list: [1, { a: 2 }],
    at: new Date(0),
    bytes: new Uint8Array([1, 2]),
    order: Number.NaN,
  }
  await world.run(storeAction(), { store: 'types', values })
  const kinds = Object.keys(values).map((name) => `typeof("${name}"), "${name}"`)
  assert.deepEqual(query(world, `SELECT ${kinds.join()} FROM types`), [
    ['integer', 21n, 'real', 21.5, 'real', 2 ** 60, 'text', (2n ** 70n).toString(), 'integer', 1n]
      .concat([
        'null',
        null,
        'text',
        "it's",
        'text',
        '[1,{"a":2}]',
        'text',
        '1970-01-01T00:00:00.000Z',
      ] as never)
      .concat(['blob', Buffer.from([1, 2]), 'null', null] as never),
  ])
})

test('store adds columns when they first come, and values may take the place of time and topic', async () => {
  await using world = await makeWorld()
  const store = storeAction()
  await world.run(store, { store: 'r', values: { a: 1 } })
  await world.run(store, { store: 'R', values: { A: 2, B: 3 } })
  await world.run(store, { store: 'r', values: { Time: 'noon', topic: 'x', payload: null } })
  assert.deepEqual(query(world, 'SELECT time, topic, payload, a, b FROM r'), [
    [time, 'home/door', 'on', 1n, null],
    [time, 'home/door', 'on', 2n, 3n],
    ['noon', 'x', null, null, null],
  ])
})

test('store without a message writes an empty topic and no payload', async () => {
  await using world = await makeWorld()
  const store = storeAction()
  const event = tickOf({ host: 'pi', ip: '' }, new Date(time))
  await world.host.runnerFor(store, 'clock')(
    parse(store, { store: 't' }),
    event,
    () => new AbortController().signal,
    [],
  )
  assert.deepEqual(query(world, 'SELECT * FROM t'), [[time, '', null]])
})

test('store keeps the order of rows, over several transactions, and rows are there when a run ends', async () => {
  await using world = await makeWorld()
  const store = storeAction()
  const numbers = Array.from({ length: 1_234 }, (_, n) => n)
  await Promise.all(numbers.map((n) => world.run(store, { store: 'n', values: { n } })))
  assert.deepEqual(
    query(world, 'SELECT n FROM n'),
    numbers.map((n) => [BigInt(n)]),
  )
})

test('rows that wait for each other do not each wait for a batch to fill', async () => {
  await using world = await makeWorld()
  const store = storeAction()
  const startedMs = performance.now()
  for (let n = 0; n < 100; n++) await world.run(store, { store: 'n' })
  assert.ok(performance.now() - startedMs < 5_000) // it would be 10 s
})

test('a stop writes what waits', async () => {
  await using world = await makeWorld()
  const store = storeAction()
  const runs = [1, 2, 3, 4].map((n) => world.run(store, { store: 's', values: { n } }))
  await new Promise((resolve) => setImmediate(resolve))
  await world.host.close()
  await Promise.all(runs)
  assert.deepEqual(query(world, 'SELECT count(*) FROM s'), [[4n]])
  await assert.rejects(world.run(store, { store: 's' }), { code: 'ACTION_START_FAILED' })
})

test('store writes as many rows as may wait, and refuses the next one', async () => {
  await using world = await makeWorld()
  const blocker = lockedDatabase(world)
  const writer = writerIn(world)
  const row = { table: 'r', cells: new Map([['n', 1n]]) }
  const runs = Array.from({ length: limits.storeRowsMax }, () => writer.add(row))
  await assert.rejects(writer.add(row), { code: 'STORE_FAILED', limit: 'storeRowsMax' })
  blocker.exec('COMMIT')
  await Promise.all(runs)
  await writer.close()
  assert.deepEqual(query(world, 'SELECT count(*) FROM r'), [[BigInt(limits.storeRowsMax)]])
})

test('store refuses the row with which too many bytes would wait', async () => {
  await using world = await makeWorld()
  const writer = writerIn(world)
  const row = (bytes: number) => ({ table: 'r', cells: new Map([['n', 'x'.repeat(bytes)]]) })
  const half = limits.storeBytesMax / 2
  const runs = [writer.add(row(half)), writer.add(row(half))]
  await assert.rejects(writer.add(row(1)), { code: 'STORE_FAILED', limit: 'storeBytesMax' })
  await writer.close()
  await Promise.all(runs)
  assert.deepEqual(query(world, 'SELECT count(*) FROM r'), [[2n]])
})

/** The database, locked as another program would lock it, until COMMIT. */
function lockedDatabase(world: World): InstanceType<typeof libsql> {
  const other = new libsql(databaseOf(world))
  other.pragma('journal_mode = WAL')
  other.exec('BEGIN IMMEDIATE')
  return other
}

test('store waits for another program that writes', async () => {
  await using world = await makeWorld()
  const other = lockedDatabase(world)
  const run = world.run(storeAction(), { store: 'r' })
  const first = await Promise.race([
    run.then(() => 'written'),
    new Promise((resolve) => setTimeout(resolve, 300, 'waits')),
  ])
  assert.equal(first, 'waits')
  other.exec('COMMIT')
  await run
  assert.deepEqual(query(world, 'SELECT count(*) FROM r'), [[1n]])
})

test('a row that waits for a locked database when the writer closes is refused, not lost silently', async () => {
  await using world = await makeWorld()
  const other = lockedDatabase(world)
  const writer = writerIn(world)
  const run = assert.rejects(writer.add({ table: 'r', cells: new Map([['n', 1n]]) }), {
    code: 'STORE_FAILED',
  })
  await writer.close()
  await run
  other.exec('ROLLBACK')
})

test('a row that cannot be written fails alone', async () => {
  await using world = await makeWorld()
  const store = storeAction()
  await world.run(store, { store: 'first' })
  const other = new libsql(databaseOf(world))
  other.exec(
    'CREATE VIEW seen AS SELECT * FROM first; CREATE TABLE strict (time, topic, payload, n CHECK (n > 0))',
  )
  const results = await Promise.allSettled([
    world.run(store, { store: 'first' }),
    world.run(store, { store: 'seen' }),
    world.run(store, { store: 'strict', values: { n: -1 } }),
    world.run(store, { store: 'strict', values: { n: 1 } }),
  ])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
  )
  for (const result of results) {
    if (result.status === 'rejected') assert.equal(result.reason.code, 'STORE_FAILED')
  }
})

test('a table that someone dropped is made again', async () => {
  await using world = await makeWorld()
  const store = storeAction()
  await world.run(store, { store: 'r' })
  new libsql(databaseOf(world)).exec('DROP TABLE r')
  await world.run(store, { store: 'r' }).catch(() => {}) // the statement was prepared before
  await world.run(store, { store: 'r' })
  assert.ok(query(world, 'SELECT * FROM r').length >= 1)
})

test('a damaged database is put aside with a clear line, and a new one is begun', async () => {
  await using world = await makeWorld()
  writeFileSync(databaseOf(world), 'this is no database at all\n'.repeat(1_000))
  const store = storeAction()
  await world.run(store, { store: 'r' })
  await world.run(store, { store: 'r' })
  assert.deepEqual(query(world, 'SELECT count(*) FROM r'), [[2n]])
  const aside = readdirSync(world.dataDir).filter((name) => name.startsWith('damselfly.db.damaged-'))
  assert.equal(aside.length, 1)
  const line = world.lines.find(({ level }) => level === 'error')
  assert.equal(line?.message, 'database is damaged: put aside, a new one is begun')
  assert.equal(line?.fields['aside'], join(world.dataDir, aside[0] ?? ''))
})

test('a database that is damaged again at once is left where it is, and rows fail', async () => {
  await using world = await makeWorld()
  const store = storeAction()
  const spoil = () => writeFileSync(databaseOf(world), 'this is no database at all\n'.repeat(1_000))
  spoil()
  await world.run(store, { store: 'r' })
  remove(world)
  spoil()
  await assert.rejects(world.run(store, { store: 'r' }), { code: 'STORE_FAILED', message: /not a database/ })
  remove(world)
  await world.run(store, { store: 'r' })
})

test('a database that someone deleted is begun anew', async () => {
  await using world = await makeWorld()
  const store = storeAction()
  await world.run(store, { store: 'r' })
  remove(world)
  await world.run(store, { store: 'r' })
  assert.ok(existsSync(databaseOf(world)))
  assert.deepEqual(query(world, 'SELECT count(*) FROM r'), [[1n]])
})

test('rows fail while the disk is full and go on when there is room again', async () => {
  await using world = await makeWorld()
  const file = new StoreFile(world.dataDir, smallDatabase(12), {
    debug() {},
    info() {},
    warn() {},
    error() {},
  })
  const row = (bytes: number) => ({ table: 'r', cells: new Map([['n', 'x'.repeat(bytes)]]) })
  assert.deepEqual(file.write([row(10)]), [undefined])
  assert.throws(() => file.write([row(10), row(100_000)]), { code: 'SQLITE_FULL' })
  assert.deepEqual(file.write([row(10)]), [undefined])
  file.close()
  assert.deepEqual(query(world, 'SELECT length(n) FROM r'), [[10n], [10n]])
})

/** A real database that finds no more room after some pages, as on a full disk. */
function smallDatabase(pages: number): typeof libsql {
  return class extends libsql {
    constructor(...args: ConstructorParameters<typeof libsql>) {
      super(...args)
      this.pragma(`max_page_count = ${pages}`)
    }
  } as typeof libsql
}

test('rows fail while the folder cannot be written and go on when it can', async () => {
  await using world = await makeWorld()
  rmSync(world.dataDir, { recursive: true })
  writeFileSync(world.dataDir, 'a file where the folder should be')
  const store = storeAction()
  await assert.rejects(world.run(store, { store: 'r' }), { code: 'STORE_FAILED' })
  rmSync(world.dataDir)
  await world.run(store, { store: 'r' })
})

test('store makes as many tables as it may and refuses the next', async () => {
  await using world = await makeWorld()
  const store = storeAction()
  const names = Array.from({ length: limits.storeTablesMax }, (_, n) => `t${n}`)
  await Promise.all(names.map((name) => world.run(store, { store: name })))
  await assert.rejects(world.run(store, { store: 'more' }), { code: 'STORE_FAILED', limit: 'storeTablesMax' })
  await world.run(store, { store: 't0' })
  assert.equal(world.counters.get('storeTablesMax'), 1)
})

test('store adds as many columns as it may and refuses the next', async () => {
  await using world = await makeWorld()
  const store = storeAction()
  const free = limits.storeColumnsMax - 3
  const values = Object.fromEntries(Array.from({ length: free }, (_, n) => [`c${n}`, n]))
  await world.run(store, { store: 'r', values })
  const more = { store: 'r', values: { more: 1 } }
  await assert.rejects(world.run(store, more), { code: 'STORE_FAILED', limit: 'storeColumnsMax' })
  await world.run(store, { store: 'r', values: { c0: 1 } })
})

test('store refuses names that are none', () => {
  const store: ActionDefinition = storeAction()
  const tables = ['', '1a', 'a b', 'a"b', 'a;b', 'sqlite_x', 'SQLite_master', 'a'.repeat(64), 'ä', 5]
  for (const name of tables) assert.notEqual(complaints(store, { store: name }).length, 0, String(name))
  const columns = ['', 'a"', 'rowid', 'OID', '_rowid_', 'sqlite_x']
  for (const name of columns)
    assert.notEqual(complaints(store, { store: 't', values: { [name]: 1 } }).length, 0, name)
  assert.notEqual(complaints(store, { store: 't', values: { a: 1, A: 2 } }).length, 0)
  assert.notEqual(complaints(store, { store: 't', columns: {} }).length, 0)
  assert.deepEqual(complaints(store, { store: 'a'.repeat(63), values: { constructor: 1, order: 2 } }), [])
})
