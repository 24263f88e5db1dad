import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'

interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

interface Outcome {
  readonly machine: Readonly<Record<string, unknown>>
  readonly rounds: readonly { readonly lost: readonly unknown[] }[]
  readonly rows: readonly {
    readonly key: string
    readonly damselfly: Spread
    readonly mosquitto: Spread
  }[]
}

const bench = join(root, 'bench/run.mjs')

test('the shortest round of the bench handles every message on both sides, and fills every row', {
  skip: missing('mosquitto', 'paho'),
}, async (context) => {
  const file = join(await tempFolder(context), 'result.json')
  const { stdout } = await promisify(execFile)(process.execPath, [bench, '--smoke', '--json', file])
  const { machine, rounds, rows } = JSON.parse(await readFile(file, 'utf8')) as Outcome

  assert.deepEqual(
    rounds.map(({ lost }) => lost),
    [[]],
  )
  assert.deepEqual(
    rows.map(({ key }) => key),
    [
      ...['cpu', 'p50', 'p99'].flatMap((kind) => [`${kind}/1000/q0`, `${kind}/1000/q1`]),
      ...['memory/rss', 'memory/pss', 'memory/broker', 'cpu/idle', 'memory/after'],
      ...['start/connack', 'start/handling'],
      'cpu/broker/1000',
    ],
  )
  for (const { key, damselfly, mosquitto } of rows) {
    // within a tenth of a second a process may have had nothing to do
    const isMeasured = ({ median }: Spread): boolean => median > 0 || (key === 'cpu/idle' && median === 0)
    assert.ok(isMeasured(damselfly) && isMeasured(mosquitto), `${key} was not measured`)
  }
  assert.ok(Object.values(machine).every((value) => value !== ''))
  assert.match(stdout, /^Measured on \d{4}-\d\d-\d\d: .*\bmosquitto \d/m)
  assert.match(stdout, /^Every message was handled, and every QoS 1 message acknowledged\.$/m)
  assert.match(stdout, /^\| \*\*CPU time a message, whole system\*\* /m)
})

test('the bench knows its options, and says so when it does not know one', async () => {
  await assert.rejects(promisify(execFile)(process.execPath, [bench, '--fast']), /Unknown option '--fast'/)
})
