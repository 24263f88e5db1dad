import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runBench } from '../support/bench.js'
import { missing } from '../support/tools.js'

interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

interface Outcome {
  readonly machine: Readonly<Record<string, unknown>>
  readonly main: {
    readonly rounds: readonly { readonly lost: readonly unknown[] }[]
    readonly rows: readonly {
      readonly key: string
      readonly damselfly: Spread
      readonly mosquitto: Spread
    }[]
  }
}

test('the shortest round of the main job handles every message on both sides, and fills every row', {
  skip: missing('mosquitto', 'paho'),
}, async (context) => {
  const { stdout, result } = await runBench<Outcome>(context, 'main', '--smoke')
  const { rounds, rows } = result.main

  assert.deepEqual(
    rounds.map(({ lost }) => lost),
    [[]],
  )
  assert.deepEqual(
    rows.map(({ key }) => key),
    [
      ...['cpu/1000/q0', 'cpu/1000/q1', 'cpu/piped/q0', 'cpu/piped/q1'],
      ...['p50', 'p99'].flatMap((kind) => [`${kind}/1000/q0`, `${kind}/1000/q1`]),
      ...['memory/rss', 'memory/pss', 'memory/broker', 'cpu/idle', 'memory/after'],
      ...['start/connack', 'start/handling'],
    ],
  )
  for (const { key, damselfly, mosquitto } of rows) {
    // within a tenth of a second a process may have had nothing to do
    const isMeasured = ({ median }: Spread): boolean => median > 0 || (key === 'cpu/idle' && median === 0)
    assert.ok(isMeasured(damselfly) && isMeasured(mosquitto), `${key} was not measured`)
  }
  assert.ok(Object.values(result.machine).every((value) => value !== ''))
  assert.match(stdout, /^Measured on \d{4}-\d\d-\d\d: .*\bmosquitto \d/m)
  assert.match(stdout, /^Every message was handled, and every QoS 1 message acknowledged\.$/m)
  assert.match(stdout, /^\| \*\*CPU time a message, whole system\*\* /m)
})

test('the bench knows its options and scenarios, and says so when it does not know one', async (context) => {
  await assert.rejects(runBench(context, '--fast'), /Unknown option '--fast'/)
  await assert.rejects(
    runBench(context, 'broker', 'fan-on'),
    /no scenario fan-on; there are main, access, broker, fan-in-q0/,
  )
  await assert.rejects(runBench(context, 'broker', '--pairs', '0'), /--pairs 0: not a whole number above 0/)
})
