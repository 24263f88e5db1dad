import type { z } from 'zod'
import { type ActionDefinition, defineAction } from '../core/action.ts'
import { DamselflyError } from '../core/errors.ts'
import type { Event } from '../core/event.ts'
import { limits } from '../core/limits.ts'
import type { SchemaTools } from '../core/schema.ts'
import { isoText, jsonText } from './plain.ts'
import type { Cell, Row } from './store-file.ts'
import { StoreThread } from './store-thread.ts'
import { StoreWriter } from './store-writer.ts'

const rowIdNames = ['rowid', 'oid', '_rowid_']
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * `{ store: TABLE, values: { COLUMN: … } }`: adds a row to a table of `damselfly.db` in the data folder.
 * Tables and columns are made when they are first needed. A run ends when its row is on the disk.
 */
export function storeAction(): ActionDefinition {
  let writer: StoreWriter | undefined
  return defineAction({
    name: 'store',
    options: (z) =>
      z.strictObject({
        store: identifier(z, 'a table').describe('The table'),
        values: z
          .record(identifier(z, 'a column').superRefine(noRowId), z.unknown())
          .superRefine(distinctColumns)
          .optional()
          .describe('Further columns'),
      }),
    async start({ dataDir, log }) {
      const thread = new StoreThread(dataDir, log)
      await thread.start()
      writer = new StoreWriter(thread)
    },
    run({ options, event }) {
      if (writer === undefined) throw new DamselflyError('STORE_FAILED', 'store has not been started')
      return writer.add(rowOf(options.store, event, options.values))
    },
    async stop() {
      const closing = writer?.close()
      writer = undefined
      await closing
    },
  })
}

function rowOf(table: string, event: Event, values: Readonly<Record<string, unknown>> = {}): Row {
  const cells = new Map<string, Cell>([
    ['time', isoText(event.now)],
    ['topic', event.topic],
    ['payload', event.topic === '' ? null : textOrBytes(event.bytes)],
  ])
  for (const [name, value] of Object.entries(values)) {
    const basic = name.toLowerCase()
    cells.set(cells.has(basic) ? basic : name, cellOf(value))
  }
  return { table, cells }
}

function cellOf(value: unknown): Cell {
  if (value === null || value === undefined) return null
  if (typeof value === 'number') return Number.isSafeInteger(value) ? BigInt(value) : value
  if (typeof value === 'boolean') return value ? 1n : 0n
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? value : value.toString()
  if (value instanceof Date) return isoText(value)
  if (value instanceof Uint8Array) return ownBytes(value)
  return withoutNul(typeof value === 'string' ? value : jsonText(value))
}

function textOrBytes(bytes: Uint8Array): Cell {
  try {
    return withoutNul(utf8.decode(bytes))
  } catch {
    return ownBytes(bytes)
  }
}

// A text with U+0000 in it would be cut there when it is read; as bytes it stays whole.
function withoutNul(text: string): string | Uint8Array {
  return text.includes('\0') ? ownBytes(Buffer.from(text)) : text
}

// Without the memory that they are a part of: it would all be copied on its way to the thread.
function ownBytes(bytes: Uint8Array): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes)
}

function identifier(z: SchemaTools, what: string): z.ZodString {
  return z
    .string(`the name of ${what}`)
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, `${what} is named with letters, digits and _, at most 63`)
    .refine((name) => !/^sqlite_/i.test(name), 'names that begin with sqlite_ belong to SQLite')
}

function noRowId(name: string, context: z.RefinementCtx): void {
  if (rowIdNames.includes(name.toLowerCase()))
    context.addIssue({ code: 'custom', message: `"${name}" is SQLite's own number of the row` })
}

function distinctColumns(values: Readonly<Record<string, unknown>>, context: z.RefinementCtx): void {
  const names = Object.keys(values)
  const lower = new Set(names.map((name) => name.toLowerCase()))
  if (lower.size !== names.length)
    context.addIssue({ code: 'custom', message: 'two columns differ only in upper and lower case' })
  if (names.length > limits.storeColumnsMax)
    context.addIssue({ code: 'custom', message: `more than ${limits.storeColumnsMax} columns` })
}
