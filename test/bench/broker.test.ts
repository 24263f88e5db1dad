import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runBench } from '../support/bench.js'
import { missing } from '../support/tools.js'

type Figures = Readonly<Record<string, number | null>>

interface Outcome {
  readonly broker: {
    readonly results: readonly {
      readonly scenario: { readonly name: string; readonly facts?: readonly { readonly figure: string }[] }
      readonly pairs: readonly { readonly damselfly: Figures; readonly mosquitto: Figures }[]
    }[]
  }
}

test('every scenario counts every message that it sends, once, on both sides', {
  skip: missing('mosquitto', 'paho', 'taskset'),
}, async (context) => {
  const { stdout, result } = await runBench<Outcome>(context, 'broker', '--smoke')
  const { results } = result.broker

  assert.equal(results.length, 25)
  for (const { scenario, pairs } of results) {
    assert.equal(pairs.length, 1)
    for (const side of ['damselfly', 'mosquitto'] as const) {
      const figures = pairs[0]?.[side] as Figures
      assert.equal(figures['lost'], 0, `${scenario.name}, ${side}: lost`)
      const wanted = scenario.facts?.map(({ figure }) => figure) ?? ['cpuUs', 'perSecond', 'loadUs']
      for (const figure of wanted)
        if (figure !== 'aboveEmptyMb' || side === 'damselfly')
          assert.equal(typeof figures[figure], 'number', `${scenario.name}: ${figure}`)
      if (scenario.facts === undefined)
        assert.equal(figures['surplus'], 0, `${scenario.name}, ${side}: surplus`)
    }
  }
  assert.match(stdout, /^Every message was delivered, once, and every one of QoS 1 and 2 acknowledged\.$/m)
  assert.match(stdout, /^\| \| times cheaper in CPU time \| target \|/m)
})

/** In Damselfly's place: mosquitto on both sides. */
const other = `
printf 'listener %s 127.0.0.1\\nallow_anonymous true\\nlog_dest none\\nuser root\\n' $PORT > other.conf
exec mosquitto -c other.conf`

test('scenarios that are named are measured alone, and with another broker in the place of Damselfly', {
  skip: missing('mosquitto', 'paho', 'taskset'),
}, async (context) => {
  const argv = ['broker', 'storm', 'fan-in-q1', '--smoke', '--ours', other]
  const { result } = await runBench<Outcome>(context, ...argv)
  const { results } = result.broker

  assert.deepEqual(
    results.map(({ scenario }) => scenario.name),
    ['fan-in-q1', 'storm'],
  )
  for (const { pairs } of results) assert.equal(pairs[0]?.damselfly['lost'], 0)
})
