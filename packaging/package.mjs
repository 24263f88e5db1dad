// npm run package [-- --arch amd64|arm64|armhf …]
// Makes dist-deb/damselfly_VERSION_ARCH.deb: the same bytes from the same commit, wherever it is made.
import { createHash } from 'node:crypto'
import { cpSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { debianVersion } from './changelog.mjs'
import { readCommands } from './commands.mjs'
import { finish, pack, writeControl } from './deb.mjs'
import { copyrightText, ownLicence, readLicences } from './licences.mjs'
import { checkNatives, installModules, npmCpu, prune } from './modules.mjs'
import { run } from './run.mjs'
import { buildSource, manifest, sourceDate } from './source.mjs'
import { layOut } from './tree.mjs'

const root = join(import.meta.dirname, '..')
const loads = join(import.meta.dirname, 'loads.mjs')
const { values } = parseArgs({
  options: {
    arch: { type: 'string', multiple: true, default: Object.keys(npmCpu) },
    out: { type: 'string', default: join(root, 'dist-deb') },
  },
})
for (const arch of values.arch)
  if (!(arch in npmCpu)) throw new Error(`--arch is ${Object.keys(npmCpu).join(', ')}, not "${arch}"`)

process.umask(0o022)
const work = mkdtempSync(join(tmpdir(), 'damselfly-package-'))
try {
  const date = sourceDate(root)
  const source = buildSource(root, join(work, 'source'))
  const { version, engines } = manifest(source)
  const program = await readCommands(join(source, 'dist'))
  mkdirSync(values.out, { recursive: true })
  for (const arch of values.arch) {
    const tree = join(work, arch)
    const modules = installModules(source, join(work, `modules-${arch}`), arch)
    const licences = readLicences(modules)
    prune(modules, arch)
    const needs = checkNatives(modules, arch)
    const there = licences.filter(
      ({ path }) => lstatSync(join(modules, '..', path), { throwIfNoEntry: false }) !== undefined,
    )
    layOut(source, tree, { program, copyright: copyrightText(ownLicence(source), there), version, date })
    cpSync(modules, join(tree, 'usr/lib/damselfly/node_modules'), { recursive: true })
    if (npmCpu[arch] === process.arch) run(process.execPath, [loads, join(tree, 'usr/lib/damselfly')])
    const kibibytes = finish(tree, date)
    writeControl(tree, { version, node: engines.node.replace('>=', ''), arch, kibibytes, needs })
    const file = join(values.out, `damselfly_${debianVersion(version)}_${arch}.deb`)
    const built = join(work, `${arch}.deb`)
    pack(tree, built, date)
    const bytes = readFileSync(built)
    cpSync(built, `${file}.part`) // the work folder may be on another file system, where nothing can be renamed from
    renameSync(`${file}.part`, file)
    const sum = createHash('sha256').update(bytes).digest('hex')
    process.stdout.write(
      `${file}: ${(bytes.length / 1e6).toFixed(1)} MB, ${(kibibytes / 1024).toFixed(1)} MiB installed, sha256 ${sum}\n`,
    )
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
