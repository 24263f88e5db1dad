import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LevelReader } from './level-reader.ts'
import { isWholeTable } from './tables.ts'
import { readLog } from './write-log.ts'

/** What an edit may say; 5 to 7 name a level first. */
const edit = { comparator: 1, logNumber: 2, compactPointer: 5, deletedFile: 6, newFile: 7 } as const

/** What the list of a store's files says. */
export interface Live {
  readonly tables: Set<number>
  /** The first log whose records are in no table yet; 0 for none. */
  log: number
}

/**
 * The tables and logs of the store in this folder that are damaged, or gone. Others may lie there that a process left
 * behind which was killed while it wrote them: LevelDB removes those. @returns nothing for a folder that LevelDB could not
 * open either
 */
export async function damagedFiles(folder: string): Promise<string[]> {
  const live = await liveFiles(folder).catch((): Live => ({ tables: new Set(), log: 0 }))
  const damaged: string[] = []
  const logs = new Set<number>()
  for (const file of await readdir(folder).catch((): string[] => [])) {
    const [, name, kind] = /^(\d+)\.(ldb|log)$/.exec(file) ?? []
    const number = Number(name)
    if (kind === 'log') {
      logs.add(number)
      if (readLog(await readFile(join(folder, file))).lostBytes > 0) damaged.push(file)
    } else if (live.tables.has(number) && !isWholeTable(await readFile(join(folder, file))))
      damaged.push(file)
  }
  // LevelDB would begin without it
  if (live.log > 0 && !logs.has(live.log)) damaged.push(`${String(live.log).padStart(6, '0')}.log`)
  return damaged
}

/** @throws RangeError or a file's error when it cannot be read */
export async function liveFiles(folder: string): Promise<Live> {
  const current = await readFile(join(folder, 'CURRENT'), 'utf8')
  const live: Live = { tables: new Set(), log: 0 }
  const { records } = readLog(await readFile(join(folder, current.trim())))
  for (const record of records) applyEdit(record, live)
  return live
}

function applyEdit(record: Buffer, live: Live): void {
  const reader = new LevelReader(record)
  while (reader.hasMore) {
    const what = reader.varint()
    if (what === edit.comparator) reader.slice(reader.varint())
    else if (what === edit.logNumber) live.log = reader.varint()
    else if (what < edit.compactPointer || what > edit.newFile) reader.varint()
    else {
      reader.varint() // level
      if (what === edit.compactPointer) reader.slice(reader.varint())
      else if (what === edit.deletedFile) live.tables.delete(reader.varint())
      else {
        live.tables.add(reader.varint())
        reader.varint() // size
        reader.slice(reader.varint()) // lowest key
        reader.slice(reader.varint()) // highest key
      }
    }
  }
}
