import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { findHouse } from '#src/config/house.js'
import { tempFolder } from '../support/temp-folder.js'

/** An empty folder, and the folders of a service that is installed. */
async function makeWorld(context: TestContext) {
  const top = await tempFolder(context)
  const cwd = join(top, 'anywhere')
  const service = { configDir: join(top, 'etc'), dataDir: join(top, 'state'), runtimeDir: join(top, 'run') }
  for (const folder of [cwd, service.configDir]) await mkdir(folder)
  for (const file of ['.env', 'damselfly.yaml']) await writeFile(join(service.configDir, file), '')
  return { top, cwd, service, environment: { LANG: 'C' } }
}

test('a folder without settings of its own stands for the installed service', async (context) => {
  const world = await makeWorld(context)
  const { service } = world
  const house = {
    cwd: service.configDir,
    environment: {
      LANG: 'C',
      CONFIG_DIR: service.configDir,
      STATE_DIRECTORY: service.dataDir,
      RUNTIME_DIRECTORY: service.runtimeDir,
    },
    isService: true,
  }
  assert.deepEqual(await findHouse(world), house)
  assert.deepEqual(await findHouse({ ...world, cwd: service.configDir }), house)
})

test('settings in the working directory go before the service', async (context) => {
  for (const own of ['.env', 'config']) {
    const world = await makeWorld(context)
    await mkdir(join(world.cwd, own))
    assert.deepEqual(await findHouse(world), {
      cwd: world.cwd,
      environment: world.environment,
      isService: false,
    })
  }
})

test('so does an environment that names a folder', async (context) => {
  const world = await makeWorld(context)
  for (const name of ['CONFIG_DIR', 'DATA_DIR']) {
    const environment = { [name]: 'x' }
    assert.deepEqual(await findHouse({ ...world, environment }), {
      cwd: world.cwd,
      environment,
      isService: false,
    })
  }
})

test('without a service the working directory is all there is', async (context) => {
  const world = await makeWorld(context)
  const service = { ...world.service, configDir: join(world.top, 'nothing') }
  assert.equal((await findHouse({ ...world, service })).cwd, world.cwd)
})
