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

/** In Damselfly's place: what the bench itself does is to be seen, whatever the broker can. */
const mosquitto = `
printf 'listener %s 127.0.0.1\\nallow_anonymous true\\nmax_queued_messages 0\\nlog_dest none\\nuser root\\n' $PORT > other.conf
exec mosquitto -c other.conf`

test('every scenario counts every message that it sends, once, on both sides', {
  skip: missing('mosquitto', 'paho', 'taskset'),
}, async (context) => {
  const { stdout, result } = await runBench<Outcome>(context, 'broker', '--smoke', '--ours', mosquitto)
  const { results } = result.broker

  assert.equal(results.length, 22)
  for (const { scenario, pairs } of results) {
    assert.equal(pairs.length, 1)
    for (const side of ['damselfly', 'mosquitto'] as const) {
      const figures = pairs[0]?.[side] as Figures
      assert.equal(figures['lost'], 0, `${scenario.name}, ${side}: lost`)
      const wanted = scenario.facts?.map(({ figure }) => figure) ?? ['cpuUs', 'perSecond', 'loadUs']
      for (const figure of wanted)
        if (figure !== 'aboveEmptyMb')
          assert.equal(typeof figures[figure], 'number', `${scenario.name}: ${figure}`)
      if (scenario.facts === undefined)
        assert.equal(figures['surplus'], 0, `${scenario.name}, ${side}: surplus`)
    }
  }
  assert.match(stdout, /^Every message was delivered, once, and every one of QoS 1 and 2 acknowledged\.$/m)
  assert.match(stdout, /^\| \| times cheaper in CPU time \| target \|/m)
})

test('a scenario that is named is measured alone, on the real broker', {
  skip: missing('mosquitto', 'paho', 'taskset'),
}, async (context) => {
  const { result } = await runBench<Outcome>(context, 'broker', 'fan-in-q0', 'fan-in-q1', '--smoke')
  const { results } = result.broker

  assert.deepEqual(
    results.map(({ scenario }) => scenario.name),
    ['fan-in-q0', 'fan-in-q1'],
  )
  for (const { pairs } of results) assert.equal(pairs[0]?.damselfly['lost'], 0)
})
