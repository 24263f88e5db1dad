import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LevelReader } from './level-reader.ts'
import { liveFiles } from './manifest.ts'
import { type Found, Restoring } from './restoring.ts'
import { entriesOfTable } from './tables.ts'
import { readLog } from './write-log.ts'

/** Kinds of changes, in tables and logs. */
const change = { deletion: 0, value: 1 } as const
/** Sequence number and count before the changes of a batch. */
const batchHeaderBytes = 12

/** The last that is known of a key. */
interface Latest {
  readonly sequence: bigint
  /** Undefined: it was deleted. */
  readonly value: Buffer | undefined
}

/**
 * What is in the store in this folder, read without LevelDB, which writes when it opens: for a disk that cannot be written.
 * @throws RangeError or a file's error when it cannot be read whole, NewerStoreError
 * @see https://github.com/google/leveldb/blob/main/doc/impl.md
 */
export async function readStore(folder: string): Promise<Found> {
  const latest = new Map<string, Latest>() // a key as latin1, which sorts as its bytes do
  const note = (key: Buffer, sequence: bigint, value: Buffer | undefined): void => {
    const name = key.toString('latin1')
    const known = latest.get(name)
    if (known === undefined || known.sequence < sequence) latest.set(name, { sequence, value })
  }
  const live = await liveFiles(folder)
  for (const file of await readdir(folder)) {
    const [, name, kind] = /^(\d+)\.(ldb|log)$/.exec(file) ?? []
    const number = Number(name)
    if (kind === 'ldb' && live.tables.has(number)) readTable(await readFile(join(folder, file)), note)
    else if (kind === 'log' && number >= live.log)
      for (const record of readLog(await readFile(join(folder, file))).records) readBatch(record, note)
  }
  const restoring = new Restoring()
  for (const name of [...latest.keys()].sort()) {
    const value = latest.get(name)?.value
    // a copy: the rest of the file is not to stay in memory
    if (value !== undefined) restoring.add(Buffer.from(name, 'latin1'), Buffer.from(value))
  }
  return restoring.finish()
}

type Note = (key: Buffer, sequence: bigint, value: Buffer | undefined) => void

/** Behind each key of a table come eight bytes: the kind of the change, and the sequence number above it. */
function readTable(bytes: Buffer, note: Note): void {
  for (const { key, value } of entriesOfTable(bytes)) {
    const end = key.length - 8
    const tag = key.readBigUInt64LE(end)
    note(key.subarray(0, end), tag >> 8n, (tag & 0xffn) === BigInt(change.value) ? value : undefined)
  }
}

function readBatch(record: Buffer, note: Note): void {
  let sequence = record.readBigUInt64LE(0)
  const reader = new LevelReader(record.subarray(batchHeaderBytes))
  while (reader.hasMore) {
    const kind = reader.varint() // one byte: there are two kinds
    const key = reader.slice(reader.varint())
    if (kind > change.value) throw new RangeError(`a change of the unknown kind ${kind}`)
    note(key, sequence++, kind === change.value ? reader.slice(reader.varint()) : undefined)
  }
}
