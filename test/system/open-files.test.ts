import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { tellFewFiles } from '#src/system/open-files.js'
import { recordingLog } from '../support/system-log.ts'

const warning = 'warn: fewer files may be open than clients may connect'

for (const [files, expected] of [
  ['228', []],
  ['227', [warning]],
  ['unlimited', []],
] as const) {
  test(`100 clients, ${files} open files: ${expected.length === 0 ? 'nothing to say' : 'a warning'}`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'damselfly-files-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const table = join(folder, 'limits')
    writeFileSync(
      table,
      `Limit                     Soft Limit           Hard Limit           Units\nMax open files            ${files}                  1048576              files\n`,
    )
    const log = recordingLog()
    await tellFewFiles(100, log, table)
    assert.deepEqual(log.lines, expected)
  })
}

test('where no such table is there is nothing to say', async () => {
  const log = recordingLog()
  await tellFewFiles(100, log, '/nowhere')
  assert.deepEqual(log.lines, [])
})
