import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../../support/daemon.js'

/**
 * How many statements each section of a standard has. MQTT 5 numbers some sections with gaps, so there only
 * the page itself is checked.
 */
const sections: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  '3.1.1': {
    '1.5.3': 3,
    '2.2.2': 2,
    '2.3.1': 7,
    '3.1.0': 2,
    '3.1.2': 24,
    '3.1.3': 11,
    '3.1.4': 5,
    '3.2.0': 1,
    '3.2.2': 6,
    '3.3.1': 12,
    '3.3.2': 3,
    '3.3.4': 1,
    '3.3.5': 2,
    '3.6.1': 1,
    '3.8.1': 1,
    '3.8.3': 4,
    '3.8.4': 6,
    '3.9.3': 2,
    '3.10.1': 1,
    '3.10.3': 2,
    '3.10.4': 6,
    '3.12.4': 1,
    '3.14.1': 1,
    '3.14.4': 3,
    '4.1.0': 2,
    '4.3.1': 1,
    '4.3.2': 2,
    '4.3.3': 2,
    '4.4.0': 1,
    '4.5.0': 2,
    '4.6.0': 6,
    '4.7.1': 3,
    '4.7.2': 1,
    '4.7.3': 4,
    '4.8.0': 2,
    '6.0.0': 4,
    '7.0.0': 2,
    '7.1.1': 1,
    '7.1.2': 1,
  },
}

/** Statements of both standards together that may be broken, with a reason. */
const brokenMax = 4

interface Row {
  readonly tag: string
  readonly kept: string
  readonly files: readonly string[]
}

const page = readFileSync(join(root, 'docs/conformance.md'), 'utf8')
const halves: Readonly<Record<string, readonly Row[]>> = Object.fromEntries(
  ['3.1.1', '5.0'].map((version) => [version, rowsOf(version)]),
)

for (const [version, rows] of Object.entries(halves)) {
  // the half of a version stands on the page as soon as there are tests for it
  if (rows.length === 0 && testsOf(version).length === 0) continue

  test(`the page has each statement of MQTT ${version} once, and says whether it is kept`, () => {
    const tags = rows.map(({ tag }) => tag)
    assert.deepEqual(
      tags.filter((tag, index) => tags.indexOf(tag) !== index),
      [],
      'twice',
    )
    const known = Object.entries(sections[version] ?? {}).flatMap(([section, count]) =>
      Array.from({ length: count }, (_, index) => `MQTT-${section}-${index + 1}`),
    )
    if (known.length > 0) assert.deepEqual(tags, known)
    for (const { tag, kept, files } of rows) {
      assert.match(kept, /^(yes|no: .+|n\/a: .+)$/, tag)
      assert.equal(files.length > 0, kept === 'yes', `${tag}: what is kept has a test, and nothing else`)
    }
  })

  test(`each statement of MQTT ${version} that is kept stands in a test’s title in the files that are named`, () => {
    const missing = rows.flatMap(({ tag, files }) =>
      files.filter((file) => !titlesOf(file).includes(`[${tag}]`)).map((file) => `${tag} in ${file}`),
    )
    assert.deepEqual(missing, [])
  })

  test(`no test has a tag that the page of MQTT ${version} does not know`, () => {
    const known = new Set(rows.filter(({ kept }) => kept === 'yes').map(({ tag }) => tag))
    const used = testsOf(version).flatMap((file) => titlesOf(file).match(/MQTT-\d+(?:\.\d+)+-\d+/g) ?? [])
    assert.deepEqual(
      [...new Set(used)].filter((tag) => !known.has(tag)),
      [],
    )
  })
}

test('fewer than five statements are not kept', () => {
  const broken = Object.values(halves).flatMap((rows) => rows.filter(({ kept }) => kept.startsWith('no')))
  assert.ok(broken.length <= brokenMax, broken.map(({ tag }) => tag).join(', '))
})

/** The rows between `<!-- version -->` and `<!-- /version -->`. */
function rowsOf(version: string): readonly Row[] {
  const from = page.indexOf(`<!-- ${version} -->`)
  const to = page.indexOf(`<!-- /${version} -->`)
  if (from === -1 || to === -1) return []
  const rows: Row[] = []
  for (const line of page.slice(from, to).split('\n')) {
    const [, tag = '', , kept = '', tests = ''] = line.split('|').map((cell) => cell.trim())
    if (tag.startsWith('MQTT-'))
      rows.push({ tag, kept, files: tests.match(/test\/[\w/.-]+\.test\.ts/g) ?? [] })
  }
  return rows
}

function testsOf(version: string): readonly string[] {
  const prefix = version === '5.0' ? 'v5-' : 'v3-'
  const folder = 'test/broker/conformance'
  return readdirSync(join(root, folder))
    .filter((file) => file.startsWith(prefix) && file.endsWith('.test.ts'))
    .map((file) => `${folder}/${file}`)
}

/** What stands in a file beside its comments: titles are the only place for tags there. */
function titlesOf(file: string): string {
  return readFileSync(join(root, file), 'utf8').replace(/^\s*(?:\/\/|\/?\*).*$/gm, '')
}
