// The repository as it is checked out, without what is not its own, and what `npm pack` would make of it.
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from './run.mjs'

/** Copies what git knows of, as it lies there, and compiles it. @returns the folder that has `dist` then */
export function buildSource(root, folder) {
  const names = run('git', ['-C', root, 'ls-files', '-z', '--cached']).split('\0')
  for (const name of names.filter((each) => each !== '' && !/^(test|bench|\.ci)\//.test(each))) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    cpSync(join(root, name), join(folder, name))
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules')) // the compiler, and types
  run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'], { cwd: folder })
  return folder
}

/** Seconds since 1970 that every file of the package has: SOURCE_DATE_EPOCH, else the time of the last commit. */
export function sourceDate(root) {
  const { SOURCE_DATE_EPOCH: given } = process.env
  return Number(given ?? run('git', ['-C', root, 'log', '-1', '--format=%ct']).trim())
}

export function manifest(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}
