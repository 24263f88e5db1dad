import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../support/daemon.js'
import { missing } from '../support/tools.js'

const soak = join(root, 'bench/soak.mjs')

test('a soak of three seconds says in words what it has seen', {
  skip: missing('mosquitto', 'taskset'),
}, async () => {
  const argv = [soak, '0.05', '--idle', '50', '--vandals', '20']
  const { stdout } = await promisify(execFile)(process.execPath, argv).catch((error) => error)

  assert.match(stdout, /^\d+ clients misbehaved and vanished, \d+ before they were connected:$/m)
  assert.match(stdout, /^PASS: 50 of 50 idle connections were held$/m)
  assert.match(stdout, /^PASS: every message came back within 5000 ms \(0 did not\)$/m)
  assert.match(stdout, /^resident memory \d+ MB, \d+ MB after the first 0\.6 s; judged from 5 minutes on$/m)
})

test('a soak refuses a time that is none', async () => {
  await assert.rejects(promisify(execFile)(process.execPath, [soak, 'long']), /long: how many minutes\?/)
})
