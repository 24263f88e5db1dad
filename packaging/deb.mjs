// A tree of files → a .deb: modes, times, control files, and the archive.
import { createHash } from 'node:crypto'
import {
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { controlText } from './control.mjs'
import { filesIn } from './modules.mjs'
import { run } from './run.mjs'
import { conffiles } from './tree.mjs'

/** Modes that do not depend on who builds, and one time. @returns the installed size in KiB */
export function finish(tree, date) {
  let kibibytes = 0
  for (const path of [tree, ...readdirSync(tree, { recursive: true }).map((name) => join(tree, name))]) {
    const stat = lstatSync(path)
    kibibytes += stat.isFile() ? Math.ceil(stat.size / 1024) : 1 // as dpkg-gencontrol counts
    if (!stat.isSymbolicLink()) chmodSync(path, modeOf(tree, path, stat))
    lutimesSync(path, date, date)
  }
  return kibibytes
}

const secrets = new Set(conffiles.map((path) => path.slice(1)).filter((path) => !path.endsWith('.yaml')))

function modeOf(tree, path, stat) {
  const name = relative(tree, path)
  if (stat.isDirectory() || name === 'usr/bin/damselfly') return 0o755
  return secrets.has(name) ? 0o640 : 0o644
}

/** The files of DEBIAN. @param facts what `controlText` takes */
export function writeControl(tree, facts) {
  const folder = join(tree, 'DEBIAN')
  const sums = filesIn(tree)
    .map((file) => relative(tree, file))
    .filter((name) => !conffiles.includes(`/${name}`))
    .map(
      (name) =>
        `${createHash('md5')
          .update(readFileSync(join(tree, name)))
          .digest('hex')}  ${name}\n`,
    )
  mkdirSync(folder)
  const put = (name, text, mode = 0o644) => {
    writeFileSync(join(folder, name), text)
    chmodSync(join(folder, name), mode)
  }
  put('control', controlText(facts))
  put('conffiles', `${conffiles.join('\n')}\n`)
  put('md5sums', sums.join(''))
  for (const name of ['preinst', 'postinst', 'prerm', 'postrm'])
    put(name, readFileSync(join(import.meta.dirname, 'scripts', name)), 0o755)
  chmodSync(folder, 0o755)
}

/** @NOTE one thread: how many there are changes what xz makes. */
export function pack(tree, file, date) {
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(date) }
  run('dpkg-deb', ['--root-owner-group', '-Zxz', '--threads-max=1', '--build', tree, file], { env })
}
