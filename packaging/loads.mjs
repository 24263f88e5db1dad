// Whether every file of the program finds what it imports, and every dependency what it needs: what was pruned must be
// missed by nobody.
//   node packaging/loads.mjs FOLDER     FOLDER has dist/, node_modules/ and package.json; exit code 1 names what is missing
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const folder = resolve(process.argv[2])
const files = readdirSync(join(folder, 'dist'), { recursive: true })
  .filter((name) => name.endsWith('.js') && name !== 'main.js')
  .map((name) => join(folder, 'dist', name))
  .filter((file) => !isThread(file))
const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
const { resolve: find } = createRequire(join(folder, 'package.json'))

const needed = [...Object.keys(dependencies).map(find), ...files]
const missing = []
await import(pathToFileURL(find('reflect-metadata')).href) // before @peculiar/x509, as the program does
for (const file of needed)
  try {
    await import(pathToFileURL(file).href)
  } catch (error) {
    missing.push(`${file}: ${error.message}`)
  }
if (missing.length > 0) process.stderr.write(`${missing.join('\n')}\n`)
process.exit(missing.length > 0 ? 1 : 0)

/** A worker's file runs at once, on the data that it is given. */
function isThread(file) {
  return /^import \{[^}]*\bworkerData\b[^}]*\} from 'node:worker_threads'/m.test(readFileSync(file, 'utf8'))
}
