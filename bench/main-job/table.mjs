// From the rounds' values to what a person reads: ratios first, with their spread, and what it allows to say.
import { number, spread } from '../statistics.mjs'

/** The groups of the table: keys that begin like this, in the order in which the rounds noted them. */
const groups = [
  { title: 'CPU time a message, whole system', matches: /^cpu\/(\d|piped)/, unit: 'µs' },
  { title: 'Delay publish → handler, median', matches: /^p50\/\d/, unit: 'ms' },
  { title: 'Delay publish → handler, 99th percentile', matches: /^p99\/\d/, unit: 'ms' },
  { title: 'Highest rate without growing delay', matches: /^capacity/, unit: '/s', isMoreBetter: true },
  { title: 'Doing nothing', matches: /^(memory|cpu\/idle)/, unit: 'MB' },
  { title: 'Start', matches: /^start/, unit: 'ms' },
]

const labels = {
  'memory/rss': 'memory, resident',
  'memory/pss': 'memory, proportional',
  'memory/broker': 'memory without the script, resident',
  'memory/after': 'memory after the load, resident',
  'cpu/idle': 'CPU time a second',
  'start/connack': 'until the first CONNACK',
  'start/handling': 'until the handler listens',
  capacity: 'QoS 0, in steps',
}

/** What the ratio must not be above. */
const targets = { 'cpu/piped/q0': 1 / 12, 'cpu/piped/q1': 1 / 12, 'p50/1000/q0': 0.2, 'p50/1000/q1': 0.2 }

/** The table's rows: medians of the rounds, and the ratio Damselfly ÷ mosquitto within each round. */
export function rowsOf(rounds) {
  const keys = Object.keys(rounds[0].values.damselfly)
  return groups.flatMap(({ title, matches, unit, isMoreBetter }) =>
    keys
      .filter((key) => matches.test(key))
      .map((key) => {
        const of = (system) => rounds.map(({ values }) => values[system][key])
        const ratios = rounds.map(({ values }) => values.damselfly[key] / values.mosquitto[key])
        return {
          key,
          group: title,
          label: labelOf(key),
          unit: key === 'cpu/idle' ? 'µs' : unit,
          ratio: spread(ratios),
          verdict: verdict(ratios, isMoreBetter) + targetText(key, spread(ratios).median),
          damselfly: spread(of('damselfly')),
          mosquitto: spread(of('mosquitto')),
        }
      }),
  )
}

/** @returns Markdown */
export function tableOf(rows) {
  const lines = [
    '| | Damselfly ÷ mosquitto + paho | | Damselfly | mosquitto + paho |',
    '|---|---:|---|---:|---:|',
  ]
  let group
  for (const row of rows) {
    if (row.group !== group) lines.push(`| **${row.group}** | | | | |`)
    group = row.group
    const { median, min, max } = row.ratio
    const ratio = `**${number(median)}** (${number(min)}–${number(max)})`
    const value = (side) => `${number(side.median)} ${row.unit}`
    lines.push(
      `| ${row.label} | ${ratio} | ${row.verdict} | ${value(row.damselfly)} | ${value(row.mosquitto)} |`,
    )
  }
  return lines.join('\n')
}

/** What else used the machine meanwhile, and what did not arrive. @returns sentences */
export function noiseOf(rounds) {
  const windows = rounds.flatMap(({ windows }) => windows)
  const percent = (key) => {
    const { median, max } = spread(windows.map((window) => window[key] * 100))
    return `${number(median)} % (at worst ${number(max)} %)`
  }
  const lost = rounds.flatMap(({ lost }, index) => lost.map((entry) => ({ ...entry, round: index + 1 })))
  return [
    `Other programs used ${percent('others')} of the machine's processors meanwhile, and ${percent('steal')} were stolen by its host.`,
    lost.length === 0
      ? 'Every message was handled, and every QoS 1 message acknowledged.'
      : `Lost: ${lost.map((entry) => JSON.stringify(entry)).join(', ')}.`,
  ]
}

function labelOf(key) {
  if (labels[key] !== undefined) return labels[key]
  const [, rate, qos] = key.split('/')
  return `${rate === 'piped' ? 'all at once' : `${Number(rate).toLocaleString('en')}/s`}, QoS ${qos[1]}`
}

// one round proves nothing, and rounds that disagree about who is better prove no more
function verdict(ratios, isMoreBetter = false) {
  if (ratios.length < 2) return 'one round only'
  const isBetter = (ratio) => (isMoreBetter ? ratio > 1 : ratio < 1)
  const isWorse = (ratio) => (isMoreBetter ? ratio < 1 : ratio > 1)
  if (ratios.every(isBetter)) return 'better'
  return ratios.every(isWorse) ? 'worse' : 'within the noise'
}

function targetText(key, ratio) {
  const target = targets[key]
  if (target === undefined) return ''
  return `; target ≤ ${number(target)} ${ratio <= target ? 'hit' : 'missed'}`
}
