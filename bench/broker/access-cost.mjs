// What an access control list costs: Damselfly with one beside Damselfly without, the same load, named users in both.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { number, spread } from '../statistics.mjs'
import { startDamselfly } from '../systems/damselfly.mjs'
import { processors } from '../systems/support.mjs'
import { flows } from './flows.mjs'
import { measureCost } from './measure.mjs'

const user = ['bench', 'a password']
const names = ['fan-in-q0', 'fan-in-q1', 'fan-out-q0', 'fan-out-q1', 'wildcards']
/** A message may cost so much more, by the median. */
const shareMax = 0.1

/** A house of fifty users: lines of each, lines of groups, patterns; what the bench needs is the last of all. */
const list = [
  'topic read public/#',
  'pattern readwrite devices/%u/#',
  'pattern write clients/%c/state',
  ...Array.from({ length: 50 }, (_, index) => [
    `user person-${index}`,
    `topic read home/room-${index}/#`,
    `topic write home/room-${index}/+/set`,
  ]).flat(),
  `user ${user[0]}`,
  'topic read home/#',
  'topic deny bench/secret/#',
  'topic readwrite dev/#',
  'topic readwrite bench/#',
].join('\n')

/** @returns { results, text } */
export async function benchAccess({ plan, pairs }) {
  const count = pairs ?? { full: 9, quick: 3, smoke: 1 }[plan]
  const results = []
  for (const scenario of flows.filter(({ name }) => names.includes(name))) {
    const measured = []
    for (let index = 0; index < count; index++) {
      console.error(`access, ${scenario.name}: pair ${index + 1} of ${count}`)
      const sides = index % 2 === 0 ? ['with', 'without'] : ['without', 'with']
      const pair = {}
      for (const side of sides) pair[side] = await measure(scenario, plan, side === 'with')
      measured.push(pair)
    }
    results.push({ scenario, pairs: measured })
  }
  return { results, text: tableOf(results) }
}

async function measure(scenario, plan, isListed) {
  const folder = await mkdtemp(join(tmpdir(), 'damselfly-bench-'))
  try {
    const broker = await startDamselfly(folder, {
      processors: processors.broker,
      env: {
        MQTT_USERNAME: user[0],
        MQTT_PASSWORD: user[1],
        DURABILITY: 'memory',
        MAX_INFLIGHT_MESSAGES: 0,
        LOG_LEVEL: 'error',
      },
      ...(isListed && { others: { acl: `${list}\n` } }),
    })
    try {
      return await measureCost(broker, scenario, { ...scenario.params(plan), user })
    } finally {
      await broker.stop()
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

function tableOf(results) {
  const lost = results.flatMap(({ pairs }) => pairs.flatMap((pair) => [pair.with.lost, pair.without.lost]))
  return [
    lost.every((messages) => messages === 0) ? 'Every message was delivered.' : '**Messages were lost.**',
    '',
    '| | CPU time a message with a list ÷ without | target | with | without |',
    '|---|---:|---|---:|---:|',
    ...results.map(rowOf),
    '',
  ].join('\n')
}

function rowOf({ scenario, pairs }) {
  const ratio = spread(pairs.map((pair) => pair.with.cpuUs / pair.without.cpuUs))
  const median = (side) => number(spread(pairs.map((pair) => pair[side].cpuUs)).median)
  const verdict = ratio.median <= 1 + shareMax ? 'hit' : '**missed**'
  const cells = [
    scenario.name,
    `**${ratio.median.toFixed(2)}** (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`,
    `≤ ${1 + shareMax} ${verdict}`,
    `${median('with')} µs`,
    `${median('without')} µs`,
  ]
  return `| ${cells.join(' | ')} |`
}
