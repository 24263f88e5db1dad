import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../support/daemon.js'
import { missing } from '../support/tools.js'

const bench = join(root, 'bench/bridge-cut.mjs')

test('a bridge whose link is cut under load, while its broker is killed, loses nothing and keeps the order', {
  skip: missing('mosquitto'),
}, async () => {
  const argv = [bench, '--seconds', '2', '--rate', '100', '--kill']
  const { stdout } = await promisify(execFile)(process.execPath, argv).catch((error) => error)
  assert.match(stdout, /^link cut for 2 s at 100 messages\/s each way, MQTT 5, killed meanwhile$/m)
  assert.match(stdout, /^PASS$/m, stdout)
})
