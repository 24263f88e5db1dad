import { readSafeScalars } from '../config/read-safe-scalars.ts'
import { DamselflyError } from '../core/errors.ts'
import { chosenHouse } from './chosen-house.ts'
import { exportTable, listTables } from './export.ts'

/**
 * Prints a table that `store` has written, or the names of the tables.
 * @throws DamselflyError `USAGE`, `STORE_FAILED`
 */
export async function exportCommand(
  table: string | undefined,
  options: { readonly format: string; readonly since?: string },
): Promise<void> {
  const { format } = options
  if (format !== 'csv' && format !== 'jsonl')
    throw new DamselflyError('USAGE', `--format is csv or jsonl, not "${format}"`)
  const since = options.since === undefined ? {} : { since: timeOf(options.since) }
  const { scalars } = await readSafeScalars({ ...(await chosenHouse()), isTerminal: false })
  const { dataDir } = scalars
  if (table === undefined) {
    for (const name of await listTables(dataDir)) console.log(name)
    return
  }
  await exportTable({ dataDir, table, format, output: process.stdout, ...since })
}

function timeOf(text: string): Date {
  const time = new Date(text)
  if (!Number.isNaN(time.getTime())) return time
  throw new DamselflyError(
    'USAGE',
    `--since is a time such as 2026-01-31 or 2026-01-31T08:00:00Z, not "${text}"`,
  )
}
