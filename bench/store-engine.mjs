// One engine in a process of its own: writes batches of records of 100 bytes, and tells its parent what they cost.
import { readFileSync } from 'node:fs'
import { mkdir, open as openFile } from 'node:fs/promises'
import { join } from 'node:path'

const valueBytes = 100
const value = Buffer.alloc(valueBytes, 'x')

/** Each opens a store in `folder`, and gives what writes a batch of `size` records from number `from` on. */
export const engines = {
  empty: async () => async () => {},
  'classic-level, chained batch': async (folder, size, sync) => {
    const level = await openLevel(folder)
    return async (from) => {
      const batch = level.batch()
      for (let i = 0; i < size; i++) batch.put(key(from + i), value)
      await batch.write({ sync })
    }
  },
  'classic-level, array': async (folder, size, sync) => {
    const level = await openLevel(folder)
    return async (from) => {
      const operations = []
      for (let i = 0; i < size; i++) operations.push({ type: 'put', key: key(from + i), value })
      await level.batch(operations, { sync })
    }
  },
  'classic-level, one value': async (folder, size, sync) => {
    const level = await openLevel(folder)
    return async (from) => {
      await level.put(key(from), appendable(from, size), { sync })
    }
  },
  'libsql, in a transaction': async (folder, size, sync) => {
    const { default: Database } = await import('libsql')
    await mkdir(folder, { recursive: true })
    const database = new Database(join(folder, 'store.db'))
    database.pragma('journal_mode = WAL')
    database.pragma(`synchronous = ${sync ? 'FULL' : 'OFF'}`)
    database.exec('CREATE TABLE records (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID')
    const insert = database.prepare('INSERT INTO records VALUES (?, ?)')
    return async (from) => {
      database.exec('BEGIN')
      for (let i = 0; i < size; i++) insert.run([key(from + i), value])
      database.exec('COMMIT')
    }
  },
  'a file, appended to': async (folder, size, sync) => {
    await mkdir(folder, { recursive: true })
    const file = await openFile(join(folder, 'log'), 'a')
    return async (from) => {
      await file.write(appendable(from, size))
      if (sync) await file.datasync()
    }
  },
}

/** How long the disk takes to keep 4 KiB, in milliseconds. */
export async function describeDisk(open, path) {
  const file = await open(path, 'a')
  const page = Buffer.alloc(4_096, 1)
  const tookMs = []
  for (let i = 0; i < 300; i++) {
    await file.write(page)
    const fromMs = performance.now()
    await file.datasync()
    tookMs.push(performance.now() - fromMs)
  }
  await file.close()
  return percentiles(tookMs)
}

function percentiles(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return { p50: sorted[Math.floor(sorted.length * 0.5)], p99: sorted[Math.floor(sorted.length * 0.99)] }
}

async function openLevel(folder) {
  const { ClassicLevel } = await import('classic-level')
  const level = new ClassicLevel(folder, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    compression: false,
    cacheSize: 256 * 1024,
    writeBufferSize: 2 * 1024 * 1024,
  })
  await level.open()
  return level
}

function key(number) {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(BigInt(number))
  return bytes
}

function appendable(from, size) {
  const bytes = Buffer.allocUnsafe(size * (8 + valueBytes))
  for (let i = 0, at = 0; i < size; i++, at += 8 + valueBytes) {
    bytes.set(key(from + i), at)
    bytes.set(value, at + 8)
  }
  return bytes
}

function mainThreadNs() {
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0])
}

if (process.send !== undefined) {
  const [engine, sizeText, sync, folder] = process.argv.slice(2)
  const size = Number(sizeText)
  const write = await engines[engine](folder, size, sync === 'sync')
  const batches = Math.max(100, Math.min(1_000, Math.ceil(100_000 / size)))
  let number = 0
  for (let i = 0; i < 20; i++, number += size) await write(number)
  const mainFromNs = mainThreadNs()
  const from = process.cpuUsage()
  const tookMs = []
  for (let i = 0; i < batches; i++, number += size) {
    const fromMs = performance.now()
    await write(number)
    tookMs.push(performance.now() - fromMs)
  }
  const { user, system } = process.cpuUsage(from)
  const records = batches * size
  const result = {
    ...percentiles(tookMs),
    mainNs: (mainThreadNs() - mainFromNs) / records,
    wholeNs: ((user + system) * 1_000) / records,
    rssMb: process.memoryUsage.rss() / 1e6,
  }
  process.send(result, () => process.exit())
}
