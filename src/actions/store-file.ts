import { mkdirSync, renameSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type Libsql from 'libsql'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { Logger } from '../core/ports.ts'

/** The database's name in the data folder. */
export const storeFileName = 'damselfly.db'

/** Every table has these columns; `values:` may add others and overwrite these. */
const basicColumns = ['time', 'topic', 'payload']
const damagePauseMs = 60_000

/**
 * What a column can hold. @NOTE nothing else may reach libsql 0.5: a boolean ends the process (it panics), as
 * does a lone blob that is not in a list; a number always becomes REAL; a text is cut at U+0000 when read.
 */
export type Cell = string | number | bigint | Uint8Array | null

export interface Row {
  readonly table: string
  readonly cells: ReadonlyMap<string, Cell>
}

/**
 * The SQLite file. Opens it, makes what is missing, and puts a damaged one aside. Everything here blocks, and a transaction
 * waits until the disk has it: what is written outlives a power cut.
 */
export class StoreFile {
  readonly #path: string
  readonly #libsql: typeof Libsql
  readonly #log: Logger
  #db: Libsql.Database | undefined
  #inode = 0
  /** Columns, in lower case, by table, in lower case. */
  readonly #tables = new Map<string, Set<string>>()
  readonly #statements = new Map<string, Libsql.Statement<[Cell[]]>>()
  #damagedAtMs = Number.NEGATIVE_INFINITY

  constructor(dataDir: string, libsql: typeof Libsql, log: Logger) {
    this.#path = join(dataDir, storeFileName)
    this.#libsql = libsql
    this.#log = log
  }

  /**
   * Writes rows in one transaction.
   * @returns for each row the error that kept it alone from being written, or undefined
   * @throws SQLite's error when no row was written: `isBusy` tells whether it may be tried again
   */
  write(rows: readonly Row[]): unknown[] {
    try {
      return this.#write(rows)
    } catch (error) {
      if (!isDamage(error)) throw error
      this.#setAside(error)
      return this.#write(rows)
    }
  }

  /** Closes the file, so that one can copy it; all that was written is in it. */
  close(): void {
    try {
      this.#db?.pragma('wal_checkpoint(TRUNCATE)')
    } catch (error) {
      this.#log.debug({ file: this.#path, reason: reasonOf(error) }, 'database not checkpointed')
    }
    this.#release()
  }

  #write(rows: readonly Row[]): unknown[] {
    const db = this.#open()
    try {
      db.exec('BEGIN IMMEDIATE')
      const errors = rows.map((row) => this.#attempt(db, row))
      db.exec('COMMIT')
      return errors
    } catch (error) {
      if (!isBusy(error)) this.#giveUp(db)
      throw error
    }
  }

  // The next write opens the file anew; what was made in the transaction is gone with it.
  #giveUp(db: Libsql.Database): void {
    try {
      if (db.inTransaction) db.exec('ROLLBACK')
    } catch (error) {
      this.#log.debug({ file: this.#path, reason: reasonOf(error) }, 'transaction not rolled back')
    }
    this.#release()
  }

  // @NOTE libsql keeps the file open until the garbage collector has found all its statements. That is
  // harmless for a file that was moved: SQLite sees it (SQLITE_FCNTL_HAS_MOVED) and leaves the new one alone.
  #release(): void {
    this.#forget()
    this.#db?.close()
    this.#db = undefined
  }

  #forget(): void {
    this.#statements.clear()
    this.#tables.clear()
  }

  #attempt(db: Libsql.Database, row: Row): unknown {
    try {
      this.#prepare(db, row).run([...row.cells.values()])
      return undefined
    } catch (error) {
      // SQLite itself ends the transaction when the disk is full or fails.
      if (!db.inTransaction || isDamage(error)) throw error
      this.#forget() // someone may have dropped or changed the table: look again for the next row
      return error
    }
  }

  #prepare(db: Libsql.Database, row: Row): Libsql.Statement<[Cell[]]> {
    const names = [...row.cells.keys()]
    const key = `${row.table}(${names.join()})`
    const known = this.#statements.get(key)
    if (known !== undefined) return known
    this.#makeRoom(db, row.table, names)
    const columns = names.map(quoted).join()
    const marks = names.map(() => '?').join()
    const statement = db.prepare<[Cell[]]>(`INSERT INTO ${quoted(row.table)} (${columns}) VALUES (${marks})`)
    if (this.#statements.size >= limits.storeTablesMax) this.#statements.clear()
    this.#statements.set(key, statement)
    return statement
  }

  /** Makes the table and the columns that are missing. */
  #makeRoom(db: Libsql.Database, table: string, names: readonly string[]): void {
    const columns = this.#columns(db, table)
    for (const name of names) {
      if (columns.has(name.toLowerCase())) continue
      if (columns.size >= limits.storeColumnsMax) {
        const message = `the table ${table} has ${columns.size} columns, which is the most; "${name}" is not added`
        throw new DamselflyError('STORE_FAILED', message, { limit: 'storeColumnsMax' })
      }
      db.exec(`ALTER TABLE ${quoted(table)} ADD COLUMN ${quoted(name)}`)
      columns.add(name.toLowerCase())
    }
  }

  #columns(db: Libsql.Database, table: string): Set<string> {
    const key = table.toLowerCase()
    const known = this.#tables.get(key)
    if (known !== undefined) return known
    const read = (): string[] => {
      const found = db.prepare(`SELECT name FROM pragma_table_info(?)`).all(table) as { name: string }[]
      return found.map(({ name }) => name.toLowerCase())
    }
    let names = read()
    if (names.length === 0) {
      this.#makeTable(db, table)
      names = read()
    }
    const columns = new Set(names)
    this.#tables.set(key, columns)
    return columns
  }

  #makeTable(db: Libsql.Database, table: string): void {
    const counted = db.prepare(`SELECT count(*) AS tables FROM sqlite_schema WHERE type = 'table'`).get()
    const { tables } = counted as { tables: number }
    if (tables >= limits.storeTablesMax) {
      const message = `the database has ${tables} tables, which is the most; "${table}" is not made`
      throw new DamselflyError('STORE_FAILED', message, { limit: 'storeTablesMax' })
    }
    // Columns without a type keep what they are given as it is.
    db.exec(`CREATE TABLE ${quoted(table)} (${basicColumns.map(quoted).join()})`)
  }

  #open(): Libsql.Database {
    if (this.#db !== undefined && this.#isStillThere()) return this.#db
    this.#release()
    mkdirSync(dirname(this.#path), { recursive: true })
    // @NOTE no busy timeout: it would block the whole process; the writer waits and tries again
    const db = new this.#libsql(this.#path, { timeout: 0 })
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    this.#inode = statSync(this.#path).ino
    this.#db = db
    return db
  }

  // Someone who deletes the file, to begin anew, would else lose every later row with it.
  #isStillThere(): boolean {
    return statSync(this.#path, { throwIfNoEntry: false })?.ino === this.#inode
  }

  #setAside(cause: unknown): void {
    const nowMs = performance.now()
    if (nowMs - this.#damagedAtMs < damagePauseMs) throw cause // a disk that fails must not fill itself
    this.#damagedAtMs = nowMs
    const aside = `${this.#path}.damaged-${new Date().toISOString().replaceAll(':', '-')}`
    renameSync(this.#path, aside)
    for (const suffix of ['-wal', '-shm']) {
      if (statSync(this.#path + suffix, { throwIfNoEntry: false }) !== undefined)
        renameSync(this.#path + suffix, aside + suffix)
    }
    this.#release()
    const fields = { file: this.#path, aside, reason: reasonOf(cause) }
    this.#log.error(fields, 'database is damaged: put aside, a new one is begun')
  }
}

/** Whether another program holds the file just now. */
export function isBusy(error: unknown): boolean {
  return sqliteCode(error).startsWith('SQLITE_BUSY') || sqliteCode(error).startsWith('SQLITE_LOCKED')
}

function isDamage(error: unknown): boolean {
  return sqliteCode(error).startsWith('SQLITE_CORRUPT') || sqliteCode(error) === 'SQLITE_NOTADB'
}

function sqliteCode(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : ''
}

// Names are checked before they come here: letters, digits and `_` only.
function quoted(name: string): string {
  return `"${name}"`
}
