import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../support/daemon.js'

test('killed with -9 under load, it has lost nothing that it acknowledged and repeats no QoS 2, and retains exactly what was retained', async () => {
  const script = join(root, 'bench/crash.mjs')
  const run = promisify(execFile)(process.execPath, [script, '5', '--load-ms', '300'])
  const { stdout } = await run.catch((error: { readonly stdout: string }) => error)
  assert.match(stdout, /PASS: 5 rounds, \d\d+ messages acknowledged\n$/)
})
