import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import fc from 'fast-check'
import { damagedFiles } from '#src/broker/journal/manifest.js'
import { isWholeTable, mendTable } from '#src/broker/journal/tables.js'
import { tempFolder } from '../../support/temp-folder.js'

/** The only table of a store with 200 entries. */
async function tableFile(context: TestContext): Promise<string> {
  const folder = await tempFolder(context)
  const level = new ClassicLevel(folder, { compression: false })
  for (let i = 1_000; i < 1_200; i++) await level.put(`key ${i}`, `value ${i} `.repeat(20))
  await level.compactRange('a', 'z')
  await level.close()
  const [file] = (await readdir(folder)).filter((name) => name.endsWith('.ldb'))
  return join(folder, file as string)
}

test('a table is whole as LevelDB wrote it, and not with a wrong byte in a block, nor cut short', async (context) => {
  const bytes = await readFile(await tableFile(context))
  assert.equal(isWholeTable(bytes), true)
  const blocksEnd = bytes.lastIndexOf('value 1199 ') + 10
  fc.assert(
    fc.property(fc.nat(blocksEnd), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const wrong = Buffer.from(bytes)
      wrong.writeUInt8(wrong.readUInt8(at) ^ change, at)
      assert.equal(isWholeTable(wrong), false)
    }),
  )
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), (length) => {
      assert.equal(isWholeTable(bytes.subarray(0, length)), false)
    }),
  )
})

test('random bytes are no table', () => {
  const end = Buffer.from('57fb808b247547db', 'hex') // its magic number
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(isWholeTable(Buffer.from(bytes)), false)
      assert.equal(isWholeTable(Buffer.concat([bytes, end])), false)
    }),
  )
})

test('a mended table has all entries but those of the wrong block', async (context) => {
  const path = await tableFile(context)
  const bytes = await readFile(path)
  bytes.fill(0, 10_000, 10_100)
  await writeFile(path, bytes)
  assert.deepEqual(await damagedFiles(join(path, '..')), [path.slice(path.lastIndexOf('/') + 1)])
  assert.ok((await mendTable(path)) > 4_000)
  assert.equal(isWholeTable(await readFile(path)), true)
  assert.equal(await mendTable(path), 0, 'a whole one is left alone')
  const level = new ClassicLevel(join(path, '..'))
  await level.close()
  await ClassicLevel.repair(join(path, '..'))
  await level.open()
  const keys = await level.keys().all()
  await level.close()
  assert.ok(keys.length > 160 && keys.length < 200, `${keys.length}`)
})
