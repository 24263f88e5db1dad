// npm run package:check [-- --arch amd64|arm64|armhf …]
// Makes the packages twice, the second time as somebody else would (another place, time zone, language, umask), and
// compares the bytes; then lintian, whose every word but the overridden ones is an error, where it is installed.
// Exit code 3: all is well, but for lintian, which is not there.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './run.mjs'

const noLintian = 3
const maker = join(import.meta.dirname, 'package.mjs')
const work = mkdtempSync(join(tmpdir(), 'damselfly-twice-'))
try {
  const [one, other] = [join(work, 'one'), join(work, 'other')]
  make(one, '022', {})
  const elsewhere = join(work, 'a place of its own')
  mkdirSync(elsewhere)
  make(other, '077', {
    TMPDIR: elsewhere,
    TZ: 'Asia/Kathmandu',
    LC_ALL: 'C',
    LANG: 'C',
    HOSTNAME: 'elsewhere',
  })
  const names = readdirSync(one)
  for (const name of names)
    if (!readFileSync(join(one, name)).equals(readFileSync(join(other, name))))
      throw new Error(`${name} has other bytes when it is made again: diffoscope tells where`)
  process.stdout.write(`the same bytes twice: ${names.join(', ')}\n`)
  process.exitCode = lint(names.map((name) => join(one, name)))
} finally {
  rmSync(work, { recursive: true })
}

function make(out, umask, env) {
  const command = [process.execPath, maker, '--out', out, ...process.argv.slice(2)]
  run('sh', ['-c', `umask ${umask} && exec "$@"`, 'sh', ...command], { env: { ...process.env, ...env } })
}

/** @returns the exit code */
function lint(files) {
  const argv = ['--allow-root', '--fail-on', 'error,warning', ...files]
  const { status, stdout, stderr, error } = spawnSync('lintian', argv, { encoding: 'utf8' })
  if (error?.code === 'ENOENT') {
    process.stdout.write('LINTIAN DID NOT RUN: apt install lintian\n')
    return noLintian
  }
  if (status !== 0 || stdout !== '') throw new Error(`lintian: ${stdout}${stderr}`)
  process.stdout.write('lintian has nothing to say\n')
  return 0
}
