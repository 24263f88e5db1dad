// Runs jobs on the test machine: a kernel with a simulated GPIO chip, real systemd, Node 20, Debian's mosquitto.
//   npm run test:machine [-- JOB…] [--logs FOLDER] [--cached] [--within MINUTES] [OPTION OF THE JOB…]
// Without a JOB it runs all, but for those that are only run by name. The machine is built when it is not there or its
// recipe has changed: about ten minutes, once, as root. --cached: not to build it, and to exit with 3 when it is not there.
// --within: the shortest first, and not those that would take longer than is left; which, it says.
// docs/machine.md tells what a job is made of.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { layOut } from './bed/stage.mjs'

const here = import.meta.dirname
const bed = join(here, 'bed')
const image = process.env.MACHINE_IMAGE ?? join(homedir(), '.cache/damselfly-machine')
const notBuilt = 3

const { names, logs, onlyCached, withinSeconds, rest } = wanted(process.argv.slice(2))
if (process.getuid() !== 0) fail('needs root: it mounts, and makes namespaces')
if (onlyCached && !parts().every(isBuilt)) {
  console.log(`the test machine is not in ${image}: npm run test:machine builds it`)
  process.exit(notBuilt)
}
for (const part of parts()) build(part)

const stage = mkdtempSync(join(tmpdir(), 'damselfly-jobs-'))
const results = []
const left = []
try {
  for (const name of names) {
    if (hasTimeFor(name)) results.push(play(name))
    else left.push(name)
  }
} finally {
  rmSync(stage, { recursive: true, force: true })
}
console.log(
  `\n${results.map(({ name, code, seconds }) => `${code === 0 ? '✔' : '✖'} ${name} (${seconds} s)`).join('\n')}`,
)
if (left.length > 0) console.log(`NOT RUN, for want of time: ${left.join(', ')}`)
const failed = results.filter(({ code }) => code !== 0).length
console.log(`machine: ${results.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

function wanted(argv) {
  const known = jobs()
  const found = {
    names: [],
    logs: undefined,
    onlyCached: false,
    withinSeconds: Number.POSITIVE_INFINITY,
    rest: [],
  }
  for (let arg = argv.shift(); arg !== undefined; arg = argv.shift()) {
    if (arg === '--cached') found.onlyCached = true
    else if (arg === '--logs') found.logs = argv.shift()
    else if (arg === '--within') found.withinSeconds = 60 * Number(argv.shift())
    else if (arg.startsWith('-')) found.rest.push(arg, ...argv.splice(0))
    else if (known.has(arg)) found.names.push(arg)
    else fail(`no job ${arg}; there are ${[...known.keys()].join(', ')}`)
  }
  if (found.rest.length > 0 && found.names.length !== 1)
    fail(`${found.rest[0]}: of which job is this an option?`)
  if (found.names.length === 0)
    found.names = [...known].filter(([, job]) => !job.onlyByName).map(([name]) => name)
  if (!(found.withinSeconds > 0)) fail('--within: how many minutes?')
  if (found.withinSeconds < Number.POSITIVE_INFINITY)
    found.names.sort((a, b) => known.get(a).usualSeconds - known.get(b).usualSeconds)
  return found
}

function hasTimeFor(name) {
  return performance.now() / 1_000 + readJob(name).usualSeconds < withinSeconds
}

/** Each folder here that has a job.json. */
function jobs() {
  const folders = readdirSync(here).filter((name) => existsSync(join(here, name, 'job.json')))
  return new Map(folders.sort().map((name) => [name, readJob(name)]))
}

function readJob(name) {
  return JSON.parse(readFileSync(join(here, name, 'job.json'), 'utf8'))
}

function play(name) {
  const job = readJob(name)
  console.log(`\n── ${name}: ${job.what}`)
  const begin = Date.now()
  const folder = layOut(stage, name, job)
  const play = [process.execPath, join(bed, 'play.mjs'), folder, name, ...rest]
  const command = job.network ? ['unshare', '--net', 'bash', join(bed, 'network.sh'), ...play] : play
  const { status } = spawnSync('setpriv', ['--pdeathsig', 'KILL', ...command], {
    stdio: 'inherit',
    env: {
      ...process.env,
      MACHINE_IMAGE: image,
      MACHINE_JOB: JSON.stringify(job),
      ...(logs === undefined ? {} : { MACHINE_LOGS: logs }),
    },
  })
  rmSync(folder, { recursive: true })
  return { name, code: status ?? 1, seconds: Math.round((Date.now() - begin) / 1_000) }
}

/** What the machine is made of, each with the files that say how. */
function parts() {
  return [
    { file: 'linux', script: 'make-kernel.sh', recipe: ['make-kernel.sh', 'uml.config'] },
    { file: 'root.ext4', script: 'make-root.sh', recipe: ['make-root.sh', ...filesOf('root')] },
  ]
}

function filesOf(folder) {
  return readdirSync(join(bed, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(bed.length + 1))
    .sort()
}

function recipeOf({ recipe }) {
  const hash = createHash('sha256')
  for (const file of recipe) hash.update(readFileSync(join(bed, file)))
  return hash.digest('hex')
}

function isBuilt(part) {
  const stamp = join(image, `${part.file}.recipe`)
  return (
    existsSync(join(image, part.file)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === recipeOf(part)
  )
}

function build(part) {
  if (isBuilt(part)) return
  mkdirSync(image, { recursive: true })
  execFileSync(join(bed, part.script), [image], { stdio: 'inherit' })
  writeFileSync(join(image, `${part.file}.recipe`), recipeOf(part))
}

function fail(text) {
  console.error(`machine: ${text}`)
  process.exit(2)
}
