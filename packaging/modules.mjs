// The production node_modules of one architecture: npm's, without what nothing at run time reads.
import { cpSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, extname, join, relative } from 'node:path'
import { readElf } from './elf.mjs'
import { run } from './run.mjs'

/** Debian's name of an architecture → npm's. */
export const npmCpu = { amd64: 'x64', arm64: 'arm64', armhf: 'arm' }

/** The packages that have native parts, and how their files are called; each must be there once, or as often as it says. */
const natives = [
  { name: 'koffi', file: /^koffi\.node$/ },
  { name: 'classic-level', file: /^classic-level\.(armv[678]\.)?node$/, most: 2 }, // armv6 and armv7
  { name: 'libsql', file: /^index\.node$/ },
  { name: '@node-rs/argon2', file: /^argon2\.linux-.*\.node$/ },
]

/**
 * Installs what package-lock.json names, for glibc and one architecture, into FOLDER/node_modules. No script of a package runs.
 * @param source the folder of package.json and package-lock.json
 */
export function installModules(source, folder, arch) {
  mkdirSync(folder, { recursive: true })
  for (const name of ['package.json', 'package-lock.json']) cpSync(join(source, name), join(folder, name))
  const target = ['--os=linux', `--cpu=${npmCpu[arch]}`, '--libc=glibc']
  const quiet = ['--silent', '--no-audit', '--no-fund', '--prefer-offline', '--no-bin-links']
  run('npm', ['ci', '--omit=dev', '--ignore-scripts', ...target, ...quiet], { cwd: folder })
  rmSync(join(folder, 'package-lock.json'))
  return join(folder, 'node_modules')
}

/** Folders at the top of a package that hold no code of it. */
const idleFolders = /^(tests?|__tests__|fixtures?|benchmarks?|bench|examples?|docs?|help|coverage|\..*)$/
/** Bundles for browsers, and tools to build. */
const idleParts = [
  'mqtt/dist',
  'bintrees/dist',
  'yaml/browser',
  'koffi/vendor',
  'classic-level/deps',
  'zod/src',
]
const idleFiles =
  /(\.(map|md|markdown|flow|html|ico|yml|yaml|gyp|gypi|cc|cpp|c|hh?|hpp|S|asm|inc|def|lib|sh|tsbuildinfo)|\.[cm]?ts|-min\.js|\.min\.js|\.umd\.js|\.test\.js|test\.js)$/
const idleNames =
  /^(\.(?!\.).*|Makefile|CNAME|CODEOWNERS|AUTHORS|bower\.json|component\.json|tsconfig.*\.json|(un)?licen[cs]e.*|copying.*|copyrightnotice.*|notice.*|changelog.*|cnoke\.cjs|trampolines\.cjs|cmakelists\.txt)$/i

/** Removes what nothing reads while Damselfly runs: licences are in the package's copyright file. */
export function prune(modules, arch) {
  for (const part of idleParts) rmSync(join(modules, part), { recursive: true, force: true })
  for (const folder of packagesIn(modules)) {
    const manifest = manifestOf(folder)
    const isOnlyTypes = folder.includes('/@types/') || (manifest.types && !manifest.main && !manifest.exports)
    if (isOnlyTypes && !hasCode(folder)) {
      rmSync(folder, { recursive: true })
      continue
    }
    for (const file of programsOf(manifest)) rmSync(join(folder, file), { force: true })
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory() && idleFolders.test(entry.name))
        rmSync(join(folder, entry.name), { recursive: true })
  }
  for (const file of filesIn(modules)) {
    const name = basename(file)
    const isIdle = idleFiles.test(name) || idleNames.test(name)
    if (isIdle || (extname(name) === '.node' && !isFor(file, arch))) rmSync(file)
  }
  removeEmpty(modules)
}

/** Its commands, which nobody calls here. */
function programsOf({ bin = {}, main }) {
  const files = typeof bin === 'string' ? [bin] : Object.values(bin)
  return files.filter((file) => join(file) !== join(main ?? 'index.js'))
}

/** Whether a native module is for glibc on this architecture, as far as its path says. */
function isFor(file, arch) {
  if (/musl|android|freebsd|darwin|win32/.test(file)) return false
  return readElf(file)?.machine === npmCpu[arch]
}

/**
 * @returns what the native parts need: `{ needed, versions }` of all of them
 * @throws Error naming what is missing, too much, or for another machine
 */
export function checkNatives(modules, arch) {
  const found = filesIn(modules).filter((file) => extname(file) === '.node')
  const mistakes = []
  const needs = { needed: new Set(), versions: new Set() }
  for (const { name, file, most = 1 } of natives) {
    const count = found.filter((path) => file.test(basename(path))).length
    if (count === 0 || count > most) mistakes.push(`${name}: ${count} native modules`)
  }
  for (const file of found) {
    const shown = relative(modules, file)
    const elf = readElf(file)
    if (elf?.machine !== npmCpu[arch]) mistakes.push(`${shown} is for ${elf?.machine ?? 'another system'}`)
    if (!natives.some((native) => native.file.test(basename(file)))) mistakes.push(`${shown} is not known`)
    for (const library of elf?.needed ?? []) needs.needed.add(library)
    for (const version of elf?.versions ?? []) needs.versions.add(version)
  }
  if (mistakes.length > 0) throw new Error(`native modules for ${arch}: ${mistakes.join('; ')}`)
  return needs
}

/** The folders of all packages below node_modules, also of those within others. */
export function packagesIn(modules) {
  const found = []
  for (const { name } of readdirSync(modules, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  )) {
    const folders = name.startsWith('@')
      ? readdirSync(join(modules, name)).map((own) => join(name, own))
      : [name]
    for (const folder of folders.map((own) => join(modules, own))) {
      if (existsSync(join(folder, 'package.json'))) found.push(folder)
      if (existsSync(join(folder, 'node_modules'))) found.push(...packagesIn(join(folder, 'node_modules')))
    }
  }
  return found.sort()
}

export function manifestOf(folder) {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/** The regular files below a folder, sorted. */
export function filesIn(folder) {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, name))
    .filter((path) => lstatSync(path).isFile())
    .sort()
}

function hasCode(folder) {
  return filesIn(folder).some((file) => /\.([cm]?js|node)$/.test(file))
}

function removeEmpty(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeEmpty(join(folder, entry.name))
  if (readdirSync(folder).length === 0) rmSync(folder, { recursive: true })
}
