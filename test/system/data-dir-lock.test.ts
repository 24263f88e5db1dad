import assert from 'node:assert/strict'
import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { lockDataDir } from '#src/system/data-dir-lock.js'
import { tempFolder } from '../support/temp-folder.js'

test('a data folder is made, and belongs to one until it is released, whatever its path is called', async (t) => {
  const folder = await tempFolder(t)
  const dataDir = join(folder, 'deep/data')
  const lock = await lockDataDir(dataDir)
  await symlink(dataDir, join(folder, 'alias'))
  for (const path of [dataDir, join(folder, 'alias')])
    await assert.rejects(lockDataDir(path), { code: 'STORE_FAILED', message: /another Damselfly uses it/ })
  const other = await lockDataDir(join(folder, 'other'))
  await other.release()
  await lock.release()
  await (await lockDataDir(dataDir)).release()
})

test('a folder that cannot be made is told with the variable', async (t) => {
  const file = join(await tempFolder(t), 'file')
  await writeFile(file, '')
  await assert.rejects(lockDataDir(join(file, 'data')), { code: 'STORE_FAILED', message: /DATA_DIR/ })
})
