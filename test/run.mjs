// Runs the compiled tests with coverage, names what was skipped in one closing line, and fails when a
// line of it must not be: in CI nothing may be skipped, and 90 % of the lines must have been run.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const compiled = join(root, '.build/test')
const isCi = (process.env.CI ?? '') !== '' && process.env.CI !== 'false'
const named = process.argv.slice(2)

const files = readdirSync(compiled, { recursive: true })
  .filter((file) => file.endsWith('.test.js'))
  .filter((file) => existsSync(join(import.meta.dirname, file.replace(/js$/, 'ts')))) // tsc leaves what was deleted
  .filter((file) => named.length === 0 || named.some((name) => file.includes(name)))
  .map((file) => join(compiled, file))
if (files.length === 0) throw new Error(`no test matches ${named.join(' ')}`)

rmSync(join(root, 'coverage'), { recursive: true, force: true })
const reporter = join(import.meta.dirname, 'reporter.mjs')
const tests = [
  process.execPath,
  '--test',
  '--test-concurrency=4',
  '--test-timeout=240000', // of a whole file; a busy machine takes three times as long as a quiet one
  `--test-reporter=${reporter}`,
  ...files,
]
const c8 = [process.execPath, join(root, 'node_modules/c8/bin/c8.js'), ...coverageOptions()]
process.exitCode = await run(named.length > 0 ? tests : [...c8, ...tests])

function coverageOptions() {
  const options = [
    '--all',
    '--src',
    'src',
    '--include',
    'dist/**',
    '--reporter',
    'text-summary',
    '--reporter',
    'json-summary',
  ]
  // the chip's own file needs a chip: it is shown on the test machine
  options.push(
    '--exclude',
    'dist/types/**',
    '--exclude',
    'dist/gpio/character-device.js',
    '--exclude-after-remap=false',
  )
  return isCi ? [...options, '--check-coverage', '--lines', '90'] : options
}

function run([command, ...argv]) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, argv, { cwd: root, stdio: 'inherit' })
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })
}
