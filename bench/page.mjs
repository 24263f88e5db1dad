// The tables stand in docs/performance.md, each between two markers of its own.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const page = join(import.meta.dirname, '../docs/performance.md')

/** Puts the text between the markers of that name. */
export async function intoPage(name, text) {
  const [begin, end] = [`<!-- ${name}: begin -->\n`, `<!-- ${name}: end -->`]
  const [before, rest] = (await readFile(page, 'utf8')).split(begin)
  const after = rest?.split(end)[1]
  if (after === undefined) throw new Error(`${page}: the markers ${begin}${end} are not there`)
  await writeFile(page, `${before}${begin}${text}${end}${after}`)
}
