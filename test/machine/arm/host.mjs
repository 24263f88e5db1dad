// The package on ARM. Options: `arm64`, `armhf` (its programs, run by qemu-user), `machine` (a whole arm64 machine); all without.
//   npm run test:machine -- arm [-- arm64 …]
// What is built of Debian lies beside the test machine's image, in folders of its own, and is kept.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildSource } from '../../../packaging/source.mjs'
import { playMachine } from './machine.mjs'

const here = import.meta.dirname
const project = join(here, '../../..')
const architectures = ['arm64', 'armhf']
const rootRecipe = ['make-root.sh', '../bed/debian.sh']
const machineRecipe = [
  ...rootRecipe,
  'job-runner',
  '../bed/root/etc/systemd/system/job.service',
  '../bed/root/etc/udev/rules.d/60-gpio.rules',
]

/** @returns the exit code */
export async function play({ stage, machine, args }) {
  const wanted = args.filter((arg) => arg !== '--')
  const isWanted = (part) => wanted.length === 0 || wanted.includes(part)
  const folder = (name) => `${machine.image}-${name}`
  for (const name of architectures) made(folder(name), 'root', ['make-root.sh', name], rootRecipe)
  const packages = makePackages(join(stage, 'deb'))
  const codes = []
  if (architectures.some(isWanted)) {
    const tests = makeTests(join(stage, 'tests'))
    for (const name of architectures.filter(isWanted))
      codes.push(emulate(name, join(folder(name), 'root'), { packages, tests, layer: join(stage, name) }))
  }
  if (isWanted('machine')) {
    made(folder('arm64'), 'root.ext4', ['make-machine.sh', join(folder('arm64'), 'root')], machineRecipe)
    made(folder('armhf'), 'root.ext4', ['make-disk.sh', join(folder('armhf'), 'root')], rootRecipe)
    codes.push(await playMachine({ stage, folder, packages, logs: machine.logs }))
  }
  return codes.every((code) => code === 0) ? 0 : 1
}

/** Builds what is not there, or was made by another recipe: `script` and `parts`. */
function made(folder, file, [script, ...args], parts) {
  const recipe = createHash('sha256')
  for (const part of [script, ...parts]) recipe.update(readFileSync(join(here, part)))
  const stamp = join(folder, `${file}.recipe`)
  const sum = recipe.digest('hex')
  if (existsSync(join(folder, file)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sum) return
  mkdirSync(folder, { recursive: true })
  execFileSync(join(here, script), [...args, folder], { stdio: 'inherit' })
  writeFileSync(stamp, sum)
}

/** @returns the folder that has `arm64.deb` and `armhf.deb` of what is checked out */
function makePackages(folder) {
  const arch = architectures.flatMap((name) => ['--arch', name])
  const said = execFileSync(
    process.execPath,
    [join(project, 'packaging/package.mjs'), '--out', folder, ...arch],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  for (const line of said.trim().split('\n')) {
    console.log(line.slice(line.lastIndexOf('/') + 1))
    const [file, name] = /^(?:.*)_(\w+)\.deb/.exec(line)
    renameSync(file, join(folder, `${name}.deb`))
  }
  return folder
}

/** @returns a folder that has the tests of what is checked out, compiled */
function makeTests(folder) {
  buildSource(project, folder)
  cpSync(join(project, 'test'), join(folder, 'test'), { recursive: true })
  const tsc = join(project, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-b', 'test'], { cwd: folder, stdio: 'inherit' })
  return folder
}

/** Runs the programs of an architecture, in namespaces of their own. */
function emulate(name, root, { packages, tests, layer }) {
  console.log(`\n${name}, by emulation`)
  const changes = join(layer, 'changes/srv')
  mkdirSync(changes, { recursive: true })
  cpSync(join(packages, `${name}.deb`), join(changes, 'damselfly.deb'))
  for (const part of ['package.json', 'dist', '.build/test'])
    cpSync(join(tests, part), join(changes, 'tests', part), { recursive: true })
  cpSync(join(here, 'layout.test.mjs'), join(changes, 'tests/layout.test.mjs'))
  symlinkSync('/usr/lib/damselfly/node_modules', join(changes, 'tests/node_modules'))
  execFileSync(join(here, 'binfmt.sh'), [name])
  const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc']
  const inside = [process.execPath, join(here, 'emulated.mjs'), name, join(layer, 'root')]
  const command = ['unshare', ...namespaces, join(here, 'enter.sh'), root, layer, ...inside]
  return spawnSync('timeout', ['--kill-after=5', '2400', ...command], { stdio: 'inherit' }).status ?? 1
}
