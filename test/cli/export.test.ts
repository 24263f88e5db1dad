import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import libsql from 'libsql'
import { type Cell, StoreFile } from '#src/actions/store-file.js'
import { type ExportOrder, exportTable } from '#src/cli/export.js'

const silent = { debug() {}, info() {}, warn() {}, error() {} }

/** A data folder with a database that a running daemon holds open. */
async function makeStore() {
  const dataDir = await mkdtemp(join(tmpdir(), 'damselfly-export-'))
  const file = new StoreFile(dataDir, libsql, silent)
  return {
    dataDir,
    add(table: string, ...rows: Record<string, Cell>[]): void {
      const errors = file.write(rows.map((row) => ({ table, cells: new Map(Object.entries(row)) })))
      assert.ok(errors.every((error) => error === undefined))
    },
    async [Symbol.asyncDispose](): Promise<void> {
      file.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

async function exported(order: Omit<ExportOrder, 'output'>): Promise<string> {
  const output = new PassThrough()
  const all = text(output)
  await exportTable({ ...order, output })
  output.end()
  return await all
}

const day = (n: number): string => `2024-05-0${n}T00:00:00.000Z`

test('export writes CSV with a header, and quotes only what needs it', async () => {
  await using store = await makeStore()
  store.add('readings', { time: day(1), topic: 'a/b', payload: 'say "hi", you\r\nthere', t: 21n })
  store.add(
    'readings',
    { time: day(2), topic: 'a', payload: null, t: 21.5 },
    { payload: new Uint8Array([1, 2]) },
  )
  assert.equal(
    await exported({ dataDir: store.dataDir, table: 'readings', format: 'csv' }),
    'time,topic,payload,t\r\n' +
      `${day(1)},a/b,"say ""hi"", you\r\nthere",21\r\n` +
      `${day(2)},a,,21.5\r\n` +
      ',,AQI=,\r\n',
  )
})

test('export writes JSON lines, with all digits', async () => {
  await using store = await makeStore()
  store.add('r', { time: day(1), topic: 'ä\n', payload: '{"a":1}', big: 2n ** 62n, none: Infinity })
  assert.equal(
    await exported({ dataDir: store.dataDir, table: 'r', format: 'jsonl' }),
    `{"time":"${day(1)}","topic":"ä\\n","payload":"{\\"a\\":1}","big":4611686018427387904,"none":null}\n`,
  )
})

test('export since a time leaves out what is older', async () => {
  await using store = await makeStore()
  store.add('r', { time: day(1) }, { time: day(2) }, { time: day(3) })
  const order = { dataDir: store.dataDir, table: 'R', format: 'csv', since: new Date(day(2)) } as const
  assert.equal(await exported(order), `time,topic,payload\r\n${day(2)},,\r\n${day(3)},,\r\n`)
  assert.equal(await exported({ ...order, since: new Date(day(4)) }), 'time,topic,payload\r\n')
})

test('export sees what was written last while the daemon goes on to write', async () => {
  await using store = await makeStore()
  store.add('r', ...Array.from({ length: 1_000 }, (_, n) => ({ n: BigInt(n) })))
  let lines = 0
  const output = new Writable({
    highWaterMark: 100,
    write(chunk: Buffer, _, done) {
      lines += chunk.toString().split('\n').length - 1
      if (lines === 500) store.add('r', { n: 1_000n })
      setImmediate(done)
    },
  })
  const written = await exportTable({ dataDir: store.dataDir, table: 'r', format: 'jsonl', output })
  assert.equal(written, 1_000)
  assert.equal(
    (await exported({ dataDir: store.dataDir, table: 'r', format: 'jsonl' })).split('\n').length,
    1_002,
  )
})

test('export of a table that is not there lists those that are', async () => {
  await using store = await makeStore()
  store.add('readings', { n: 1n })
  store.add('doors', { n: 1n })
  await assert.rejects(exported({ dataDir: store.dataDir, table: 'reading', format: 'csv' }), {
    code: 'USAGE',
    message: 'no table is named "reading": there are doors, readings; did you mean "readings"?',
  })
})

test('export without a database says so and makes none', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'damselfly-export-'))
  const run = () => exported({ dataDir, table: 'r', format: 'csv' })
  await assert.rejects(run, {
    code: 'STORE_FAILED',
    message: /^there is no database yet at .*damselfly\.db; /,
  })
  await assert.rejects(run, { code: 'STORE_FAILED', message: /^there is no database yet/ })
  await rm(dataDir, { recursive: true })
})

test('export of a file that is no database tells why', async () => {
  await using store = await makeStore()
  const { writeFile } = await import('node:fs/promises')
  await writeFile(join(store.dataDir, 'damselfly.db'), 'no database '.repeat(1_000))
  await assert.rejects(exported({ dataDir: store.dataDir, table: 'r', format: 'csv' }), {
    code: 'STORE_FAILED',
    message: /damselfly\.db cannot be read: file is not a database/,
  })
})

test('export ends quietly when nobody reads on', async () => {
  await using store = await makeStore()
  store.add('r', ...Array.from({ length: 20_000 }, (_, n) => ({ n: BigInt(n), payload: 'x'.repeat(50) })))
  const script = `
    const { exportTable } = await import(${JSON.stringify(import.meta.resolve('#src/cli/export.js'))})
    const dataDir = ${JSON.stringify(store.dataDir)}
    const rows = await exportTable({ dataDir, table: 'r', format: 'csv', output: process.stdout })
    if (rows >= 20000) throw new Error('it wrote on')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script])
  const complaint = text(child.stderr)
  child.stdout.once('data', () => child.stdout.destroy())
  const [code] = await once(child, 'close')
  assert.deepEqual([code, await complaint], [0, ''])
})

test('export tells an output that fails', async () => {
  await using store = await makeStore()
  store.add('r', { n: 1n }, { n: 2n })
  const output = new Writable({ write: (_chunk, _encoding, done) => done(new Error('disk full')) })
  await assert.rejects(exportTable({ dataDir: store.dataDir, table: 'r', format: 'csv', output }), {
    code: 'STORE_FAILED',
    message: /disk full/,
  })
})
