import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { variableNames } from '#src/config/variables.js'
import { root } from '../support/daemon.js'

test('.env.example names every key, in the order of the code, and no other', () => {
  const text = readFileSync(join(root, '.env.example'), 'utf8')
  const keys = [...text.matchAll(/^#? ?([A-Z_]+)=/gm)].map(([, key]) => key)
  assert.deepEqual([...new Set(keys)], [...variableNames])
})

test('docs/configuration.md has a row for every key, and for no other', () => {
  const text = readFileSync(join(root, 'docs/configuration.md'), 'utf8')
  const cells = text.split('\n').flatMap((line) => /^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|/.exec(line)?.[1] ?? [])
  const keys = cells.flatMap((cell) => cell.replaceAll('`', '').split(', '))
  assert.deepEqual(keys.sort(), [...variableNames].sort())
})
