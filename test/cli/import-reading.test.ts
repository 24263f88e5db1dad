import assert from 'node:assert/strict'
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { letIn } from '#src/cli/import-reading.js'
import { Machine } from '#src/cli/service-machine.js'
import { noServiceWorld } from '../support/service-world.js'

const skip = noServiceWorld

async function keyFile(context: TestContext, mode: number, gid = 0): Promise<string> {
  const folder = await mkdtemp('/dev/shm/damselfly-reading-')
  context.after(() => rm(folder, { recursive: true }))
  await chmod(folder, 0o755)
  await mkdir(join(folder, 'certs'))
  const path = join(folder, 'certs/server.key')
  await writeFile(path, 'key', { mode })
  await chmod(path, mode)
  await chown(path, 0, gid)
  return path
}

/** A machine whose programs only remember that they were called. */
function machine(): { readonly it: Machine; readonly commands: string[] } {
  const commands: string[] = []
  const run = async (program: string, args: readonly string[]) => {
    if (program === 'getent') return { code: 0, stdout: 'ssl-cert:x:108:\n' }
    commands.push([program, ...args].join(' '))
    return { code: 0, stdout: '' }
  }
  return { it: new Machine({ print: () => {}, uid: 0, run }), commands }
}

test('a key that its owner alone may read becomes one of the group of the service', {
  skip,
}, async (context) => {
  const path = await keyFile(context, 0o600)
  const { it, commands } = machine()
  assert.match((await letIn(it, 'damselfly', path)).join(), /let damselfly read/)
  assert.deepEqual(commands, [`chgrp damselfly ${path}`, `chmod g+r ${path}`])
})

test('of a key that a group may read the service joins the group', { skip }, async (context) => {
  const path = await keyFile(context, 0o640, 108)
  const { it, commands } = machine()
  await letIn(it, 'damselfly', path)
  assert.deepEqual(commands, ['usermod -aG ssl-cert damselfly'])
})

test('what everybody may read, and what cannot be let be read, is left as it is', {
  skip,
}, async (context) => {
  const { it, commands } = machine()
  assert.deepEqual(await letIn(it, 'damselfly', await keyFile(context, 0o644)), [])
  assert.match(
    (await letIn(it, 'damselfly', await keyFile(context, 0o640))).join(),
    /setfacl -m u:damselfly:r/,
  )
  const closed = await keyFile(context, 0o600)
  await chmod(join(closed, '..'), 0o700)
  assert.match((await letIn(it, 'damselfly', closed)).join(), /certs is closed to damselfly/)
  assert.match((await letIn(it, 'damselfly', '/home/x/server.key')).join(), /the unit cannot see \/home/)
  assert.match((await letIn(it, 'damselfly', '/dev/shm/nowhere.key')).join(), /nowhere\.key is not there/)
  assert.deepEqual(commands, [])
})
