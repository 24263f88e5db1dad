import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'

const preinst = join(root, 'packaging/scripts/preinst')

test('the package refuses a machine of ARMv6 before anything is changed, and no other', async (context) => {
  const folder = await tempFolder(context)
  const on = async (machine: string) => {
    await writeFile(join(folder, 'uname'), `#!/bin/sh\necho ${machine}\n`, { mode: 0o755 })
    const { status, stderr } = spawnSync('sh', [preinst, 'upgrade', '0.4.0'], {
      env: { PATH: `${folder}:/usr/bin:/bin` },
      encoding: 'utf8',
    })
    return { status, stderr }
  }
  assert.deepEqual(await on('armv6l'), {
    status: 1,
    stderr: 'damselfly: needs ARMv7 or newer (Pi 2, Zero 2 W and later), and this is armv6l\n',
  })
  for (const machine of ['armv7l', 'aarch64', 'x86_64'])
    assert.deepEqual(await on(machine), { status: 0, stderr: '' })
})
