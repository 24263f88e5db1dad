import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LevelReader } from './level-reader.ts'
import { isWholeTable } from './tables.ts'

const blockBytes = 32 * 1024
const headerBytes = 7
/** Types of the pieces of a record. */
const piece = { full: 1, first: 2, middle: 3, last: 4 } as const
/** What an edit may say; 5 to 7 name a level first. */
const edit = { comparator: 1, compactPointer: 5, deletedFile: 6, newFile: 7 } as const

/**
 * The tables of the store in this folder that are damaged, or gone. Others may lie there that a process left behind which
 * was killed while it wrote them: LevelDB removes those. @returns nothing for a folder that LevelDB could not open either
 */
export async function damagedTables(folder: string): Promise<string[]> {
  const live = await liveTables(folder).catch(() => new Set<number>())
  const damaged: string[] = []
  for (const file of await readdir(folder).catch((): string[] => [])) {
    const number = Number(/^(\d+)\.ldb$/.exec(file)?.[1])
    if (!live.has(number)) continue
    if (!isWholeTable(await readFile(join(folder, file)))) damaged.push(file)
  }
  return damaged
}

/** @throws RangeError or a file's error when it cannot be read */
async function liveTables(folder: string): Promise<Set<number>> {
  const current = await readFile(join(folder, 'CURRENT'), 'utf8')
  const live = new Set<number>()
  for (const record of recordsOf(await readFile(join(folder, current.trim())))) applyEdit(record, live)
  return live
}

function applyEdit(record: Buffer, live: Set<number>): void {
  const reader = new LevelReader(record)
  while (reader.hasMore) {
    const what = reader.varint()
    if (what === edit.comparator) reader.slice(reader.varint())
    else if (what < edit.compactPointer || what > edit.newFile) reader.varint()
    else {
      reader.varint() // level
      if (what === edit.compactPointer) reader.slice(reader.varint())
      else if (what === edit.deletedFile) live.delete(reader.varint())
      else {
        live.add(reader.varint())
        reader.varint() // size
        reader.slice(reader.varint()) // lowest key
        reader.slice(reader.varint()) // highest key
      }
    }
  }
}

/** @see https://github.com/google/leveldb/blob/main/doc/log_format.md */
function* recordsOf(log: Buffer): Iterable<Buffer> {
  let pieces: Buffer[] = []
  for (let at = 0; at + headerBytes <= log.length; ) {
    const left = blockBytes - (at % blockBytes)
    if (left < headerBytes) {
      at += left
      continue
    }
    const length = log.readUInt16LE(at + 4)
    const type = log.readUInt8(at + 6)
    if (at + headerBytes + length > log.length || type === 0) return // it was being written
    if (type === piece.full || type === piece.first) pieces = []
    pieces.push(log.subarray(at + headerBytes, at + headerBytes + length))
    if (type === piece.full || type === piece.last) yield Buffer.concat(pieces)
    at += headerBytes + length
  }
}
