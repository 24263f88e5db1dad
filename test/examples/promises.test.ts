import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../support/daemon.js'

interface Row {
  readonly section: string
  readonly promise: string
  /** Where it is shown, or what can be done where it does not hold. */
  readonly shown: string
  /** The files that are linked there, from the project's root. */
  readonly files: readonly string[]
}

const lastSection = 'What does not hold'
const rows = rowsOf(readFileSync(join(root, 'docs/promises.md'), 'utf8'))
const promises = rows.filter(({ section }) => section !== lastSection)

test('each promise has a test that is there', () => {
  assert.ok(promises.length >= 60, `${promises.length} promises`)
  for (const { promise, files } of promises) {
    assert.ok(files.length > 0, `no test: ${promise}`)
    for (const file of files) {
      assert.match(
        file,
        /^(test\/.+\.test\.(ts|mjs)|test\/machine\/.+\.mjs|bench\/soak\.mjs|packaging\/check\.mjs)$/,
        promise,
      )
      assert.ok(existsSync(join(root, file)), `there is no ${file}: ${promise}`)
    }
  }
})

test('no promise stands there twice', () => {
  const texts = rows.map(({ promise }) => promise)
  assert.deepEqual(texts, [...new Set(texts)])
})

test('each job of the test machine shows a promise', () => {
  const machine = join(root, 'test/machine')
  const jobs = readdirSync(machine).filter((name) => existsSync(join(machine, name, 'job.json')))
  const files = promises.flatMap((row) => row.files)
  const idle = jobs.filter((job) => !files.some((file) => file.startsWith(`test/machine/${job}/`)))
  assert.ok(jobs.length > 0)
  assert.deepEqual(idle, [])
})

test('what does not hold is named last, each with what can be done', () => {
  const named = rows.filter(({ section }) => section === lastSection)
  assert.ok(named.length > 0)
  assert.deepEqual(rows.slice(promises.length), named)
  assert.deepEqual(
    named.filter(({ shown }) => shown === '').map(({ promise }) => promise),
    [],
  )
})

/** The rows of all tables, but for their heads and what is bold, which is a heading. */
function rowsOf(page: string): readonly Row[] {
  let section = ''
  return page.split('\n').flatMap((line) => {
    section = /^## (.+)$/.exec(line)?.[1] ?? section
    const [, promise, shown = ''] = line.split('|').map((cell) => cell.trim())
    if (promise === undefined || /^(promise|what|-+|\*\*.*\*\*)$/.test(promise)) return []
    const files = [...shown.matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => join('docs', link as string))
    return [{ section, promise, shown, files }]
  })
}
