import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../../support/daemon.js'

const run = promisify(execFile)
const fuzz = join(root, 'bench/fuzz.mjs')

test('twenty thousand random and damaged packets are read or refused by every decoder', async () => {
  const { stdout } = await run(process.execPath, [fuzz, '20000'], { timeout: 60_000 })
  assert.match(stdout, /20000 inputs to \d+ decoders in .* 0 failures/)
})

test('a fuzz run says the same with the same seed', async () => {
  const shares = await Promise.all(
    [1, 2].map(async () => (await run(process.execPath, [fuzz, '500', '--seed', '7'])).stdout),
  )
  const [one, other] = shares.map((text) => /^seed 7: 500 .*; (\d+ % refused)/.exec(text)?.[1])
  assert.ok(one !== undefined)
  assert.equal(one, other)
})
