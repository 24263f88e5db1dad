// Lays out what a job finds inside the machine at /job:
//   job/          the job's own folder, with node_modules that has `modules` of its job.json
//   proof.mjs     what promises are proved with; service.mjs and service-up.sh for those of the installed service;
//                 lay-out.sh puts the package where it is installed
//   and by `with` of its job.json
//     "tree"      the package as npm unpacks it, with its production modules, at /job itself
//     "global"    what `npm install -g` makes of it, in /job/global
//     "deb"       the Debian package in /job/deb, and the same tree with a higher version
//     "programs"  the programs of test/programs
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

const machine = join(import.meta.dirname, '..')
const root = join(machine, '../..')

/** @returns the job's folder, which has job.tar */
export function layOut(stage, name, job) {
  const folder = join(stage, name)
  const inside = join(folder, 'inside')
  mkdirSync(inside, { recursive: true })
  for (const part of job.with ?? []) makers[part](stage, inside)
  cpSync(join(machine, name), join(inside, 'job'), { recursive: true })
  for (const name of ['proof.mjs', 'service.mjs', 'service-up.sh', 'lay-out.sh'])
    cpSync(join(machine, name), join(inside, name))
  if (job.modules !== undefined) copyModules(join(inside, 'job'), job.modules)
  run('tar', '--owner=0', '--group=0', '-C', inside, '-cf', join(folder, 'job.tar'), '.')
  return folder
}

const makers = {
  tree(stage, inside) {
    run('tar', '-xzf', packed(stage), '-C', inside, '--strip-components=1')
    copyModules(inside, [])
  },
  global(stage, inside) {
    const options = ['--silent', '--no-audit', '--no-fund', '-g', '--prefix', join(inside, 'global')]
    run('npm', 'install', ...options, packed(stage))
  },
  deb(stage, inside) {
    const folder = join(inside, 'deb')
    run(process.execPath, join(root, 'packaging/package.mjs'), '--arch', 'amd64', '--out', folder)
    const [first] = readdirSync(folder)
    const [name, version, arch] = first.split('_')
    const tree = join(stage, 'deb-again')
    run('dpkg-deb', '-R', join(folder, first), tree)
    const control = join(tree, 'DEBIAN/control')
    const higher = `${version}+again`
    writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, `Version: ${higher}`))
    run('dpkg-deb', '-Zgzip', '-b', tree, join(folder, [name, higher, arch].join('_')))
  },
  programs(_stage, inside) {
    cpSync(join(root, 'test/programs'), join(inside, 'programs'), { recursive: true })
  },
}

/** What `npm pack` makes of a copy of the sources: a build must not disturb the folder that is worked in. */
function packed(stage) {
  const file = join(stage, 'damselfly.tgz')
  if (existsSync(file)) return file
  const copy = join(stage, 'sources')
  mkdirSync(copy)
  const list = ['-C', root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate']
  const files = run('git', ...list)
    .split('\0')
    .filter((name) => name !== '' && existsSync(join(root, name)))
  for (const name of files) cpSync(join(root, name), join(copy, name))
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const said = execFileSync('npm', ['pack', '--silent', '--pack-destination', stage], {
    cwd: copy,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  renameSync(join(stage, said.trim().split('\n').at(-1)), file)
  return file
}

function copyModules(folder, names) {
  const paths = run(process.execPath, join(machine, 'bed/modules.mjs'), ...names)
    .trim()
    .split('\n')
  for (const path of paths)
    cpSync(join(root, path), join(folder, path), { recursive: true, dereference: true })
}

function run(program, ...args) {
  return execFileSync(program, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1_048_576,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
