// modules.mjs [PACKAGE…]: the folders below node_modules that these packages need to run, by package-lock.json;
// without a package, those that Damselfly needs.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
const found = new Set()
const wanted = process.argv.slice(2)
if (wanted.length > 0) for (const name of wanted) add(name, '')
else addDependencies('')
// packages for other platforms stand in the lock file, too
for (const path of found) if (existsSync(join(root, path))) process.stdout.write(`${path}\n`)

function addDependencies(path) {
  const { dependencies, optionalDependencies } = packages[path]
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) add(name, path)
}

/** Node's way: beside the one that needs it, then further up. */
function add(name, from) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const path = `${at === '' ? '' : `${at}/`}node_modules/${name}`
    if (packages[path] !== undefined) {
      if (found.has(path)) return
      found.add(path)
      return addDependencies(path)
    }
    if (at === '') return // an optional one that the lock file leaves out
  }
}
