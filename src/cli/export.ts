import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import type Libsql from 'libsql'
import { storeFileName } from '../actions/store-file.ts'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import { assertMachineCode } from '../core/machine-code.ts'
import { nearest } from '../core/nearest.ts'

export interface ExportOrder {
  /** Absolute. */
  readonly dataDir: string
  readonly table: string
  readonly format: 'csv' | 'jsonl'
  /** Only rows whose `time` is this or later. */
  readonly since?: Date
  readonly output: Writable
}

type Value = string | number | bigint | Uint8Array | null

/**
 * Writes a table of `damselfly.db`, oldest row first, one row at a time: as CSV [RFC 4180] with a header, or
 * as JSON lines. Bytes become base64. Reads only, and may run beside the daemon. Ends quietly when nobody
 * reads on (`| head`). Does not end `output`.
 * @returns how many rows were written
 * @throws DamselflyError `USAGE` for a table that is not there, `STORE_FAILED` when there is no database
 *   or it cannot be read
 */
export function exportTable(order: ExportOrder): Promise<number> {
  return withDatabase(order.dataDir, (db) => writeRows(db, realName(db, order.table), order))
}

/**
 * The names of the tables of `damselfly.db`, in alphabetical order.
 * @throws DamselflyError `STORE_FAILED` when there is no database or it cannot be read
 */
export function listTables(dataDir: string): Promise<readonly string[]> {
  return withDatabase(dataDir, tableNames)
}

async function withDatabase<Result>(
  dataDir: string,
  use: (db: Libsql.Database) => Promise<Result> | Result,
): Promise<Result> {
  const file = join(dataDir, storeFileName)
  if (!existsSync(file)) {
    const hint = 'it is made when a rule with store: runs for the first time'
    throw new DamselflyError('STORE_FAILED', `there is no database yet at ${file}; ${hint}`)
  }
  try {
    assertMachineCode('libsql')
    const { default: Database } = await import('libsql')
    const db = new Database(`${pathToFileURL(file).href}?mode=ro`, { timeout: 5_000 })
    try {
      return await use(db)
    } finally {
      db.close()
    }
  } catch (error) {
    if (error instanceof DamselflyError) throw error
    throw new DamselflyError('STORE_FAILED', `${file} cannot be read: ${reasonOf(error)}`, { cause: error })
  }
}

function tableNames(db: Libsql.Database): string[] {
  const sql = `SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`
  return db
    .prepare(sql)
    .all()
    .map((row) => (row as { name: string }).name)
}

/** The table's name as the database has it: names are the same in any case. */
function realName(db: Libsql.Database, wanted: string): string {
  const names = tableNames(db)
  const found = names.find((name) => name.toLowerCase() === wanted.toLowerCase())
  if (found !== undefined) return found
  const near = nearest(wanted, names)
  const meant = near === undefined ? '' : `; did you mean "${near}"?`
  const list = names.length === 0 ? 'there are none yet' : `there are ${names.join(', ')}`
  throw new DamselflyError('USAGE', `no table is named "${wanted}": ${list}${meant}`)
}

async function writeRows(db: Libsql.Database, table: string, order: ExportOrder): Promise<number> {
  const { output, format, since } = order
  const where = since === undefined ? '' : ' WHERE time >= ?'
  const select = db.prepare<Value[]>(`SELECT * FROM "${table.replaceAll('"', '""')}"${where}`)
  const names = select.columns().map(({ name }) => name)
  const rows = select
    .raw()
    .safeIntegers()
    .iterate(...(since === undefined ? [] : [since.toISOString()])) as Iterable<Value[]>

  const sink = new Sink(output)
  let written = 0
  try {
    if (format === 'csv') await sink.write(csvLine(names))
    for (const row of rows) {
      if (sink.isClosed) break
      await sink.write(format === 'csv' ? csvLine(row) : jsonLine(names, row))
      written++
    }
  } finally {
    sink.release()
  }
  if (sink.failure !== undefined) throw sink.failure
  return written
}

/** Writes no faster than someone reads, and knows when nobody does any more. */
class Sink {
  isClosed = false
  failure: Error | undefined
  readonly #output: Writable
  #goOn: (() => void) | undefined

  constructor(output: Writable) {
    this.#output = output
    output.on('error', this.#onError).on('close', this.#onClose).on('drain', this.#onDrain)
  }

  async write(text: string): Promise<void> {
    if (this.isClosed || this.#output.write(text) || this.isClosed) return
    await new Promise<void>((resolve) => {
      this.#goOn = resolve
    })
  }

  release(): void {
    // The listener for errors stays: a pipe may break after the last write, too.
    this.#output.off('close', this.#onClose).off('drain', this.#onDrain)
  }

  readonly #onDrain = (): void => this.#goOn?.()

  readonly #onClose = (): void => {
    this.isClosed = true
    this.#goOn?.()
  }

  readonly #onError = (error: Error): void => {
    if (errnoOf(error) !== 'EPIPE') this.failure ??= error
    this.#onClose()
  }
}

function csvLine(values: readonly Value[]): string {
  return `${values.map(csvField).join(',')}\r\n`
}

function csvField(value: Value): string {
  const text = value === null ? '' : textOf(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function jsonLine(names: readonly string[], row: readonly Value[]): string {
  const fields = names.map((name, index) => `${JSON.stringify(name)}:${jsonValue(row[index] ?? null)}`)
  return `{${fields.join()}}\n`
}

function jsonValue(value: Value): string {
  if (typeof value === 'string' || value instanceof Uint8Array) return JSON.stringify(textOf(value))
  // All digits of a big integer are written; whether they are kept is the reader's matter.
  return value === null || value === Infinity || value === -Infinity ? 'null' : value.toString()
}

function textOf(value: string | number | bigint | Uint8Array): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value.toString()
}
