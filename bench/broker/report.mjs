// From the pairs to two tables: what things cost beside mosquitto, and what must stay within a bound.
import { number, spread } from '../statistics.mjs'

/** @param results [{ scenario, pairs: [{ damselfly, mosquitto }] }]. @returns Markdown */
export function reportOf(results) {
  const costs = results.filter(({ scenario }) => scenario.measure === undefined)
  const facts = results.filter(({ scenario }) => scenario.measure !== undefined)
  return [
    ...noiseOf(results),
    ...(costs.length === 0 ? [] : ['', ...costTable(costs)]),
    ...(facts.length === 0 ? [] : ['', ...factTable(facts)]),
    '',
  ].join('\n')
}

function costTable(results) {
  return [
    '| | times cheaper in CPU time | target | times as many a second | Damselfly | mosquitto | the load itself |',
    '|---|---:|---|---:|---:|---:|---:|',
    ...results.map(costRow),
  ]
}

function costRow({ scenario, pairs }) {
  const { title, target, targetPerSecond, isPaced } = scenario
  const cheaper = spread(pairs.map(({ damselfly, mosquitto }) => mosquitto.cpuUs / damselfly.cpuUs))
  const faster = spread(pairs.map(({ damselfly, mosquitto }) => damselfly.perSecond / mosquitto.perSecond))
  const median = (side, figure) => number(spread(pairs.map((pair) => pair[side][figure])).median)
  const side = (name) =>
    isPaced ? `${median(name, 'cpuUs')} µs` : `${median(name, 'cpuUs')} µs, ${median(name, 'perSecond')}/s`
  const cells = [
    title,
    withSpread(cheaper),
    target === undefined ? '' : verdict(cheaper.median >= target, `≥ ${target}`),
    isPaced
      ? ''
      : `${withSpread(faster)}${targetPerSecond === undefined ? '' : `; ${verdict(faster.median >= targetPerSecond, `≥ ${targetPerSecond}`)}`}`,
    side('damselfly'),
    side('mosquitto'),
    `${median('damselfly', 'loadUs')} µs, ${median('mosquitto', 'loadUs')} µs`,
  ]
  return `| ${cells.join(' | ')} |`
}

function factTable(results) {
  return [
    '| | Damselfly | target | mosquitto |',
    '|---|---:|---|---:|',
    ...results.flatMap(({ scenario, pairs }) => scenario.facts.map((fact) => factRow(fact, pairs))),
  ]
}

function factRow({ figure, label, unit, max, min }, pairs) {
  const medians = (side) =>
    Object.fromEntries(
      Object.keys(pairs[0][side]).map((key) => [key, spread(pairs.map((pair) => pair[side][key])).median]),
    )
  const [ours, theirs] = [medians('damselfly'), medians('mosquitto')]
  const value = (figures) =>
    figures[figure] === undefined ? '' : `${number(figures[figure])} ${unit}`.trim()
  let target = ''
  if (ours[figure] === undefined) return `| ${label} | not measured | | ${value(theirs)} |`
  if (max !== undefined) target = verdict(ours[figure] <= max, `≤ ${number(max)} ${unit}`.trim())
  if (min !== undefined) {
    const least = min(ours, theirs)
    target = verdict(ours[figure] >= least, `≥ ${number(least)} ${unit}`.trim())
  }
  return `| ${label} | **${value(ours)}** | ${target} | ${value(theirs)} |`
}

function verdict(isHit, target) {
  return `${target} ${isHit ? 'hit' : '**missed**'}`
}

function withSpread({ median, min, max }) {
  return min === max ? `**${number(median)}**` : `**${number(median)}** (${number(min)}–${number(max)})`
}

/** What else used the machine meanwhile, and what did not arrive. @returns sentences */
function noiseOf(results) {
  const sides = results.flatMap(({ scenario, pairs }) =>
    pairs.flatMap((pair) =>
      Object.entries(pair).map(([side, figures]) => ({ ...figures, name: `${scenario.name}, ${side}` })),
    ),
  )
  const windows = sides.filter(({ others }) => others !== undefined)
  const percent = (key) => {
    const { median, max } = spread(windows.map((window) => window[key] * 100))
    return `${number(median)} % (at worst ${number(max)} %)`
  }
  const wrong = (figure) =>
    sides
      .filter((side) => side[figure] !== undefined && side[figure] !== 0)
      .map((side) => `${number(side[figure])} (${side.name})`)
  const [lost, surplus] = [wrong('lost'), wrong('surplus')]
  return [
    ...(windows.length === 0
      ? []
      : [
          `Other programs used ${percent('others')} of the machine's processors meanwhile, and ${percent('steal')} were stolen by its host.`,
        ]),
    lost.length + surplus.length === 0
      ? 'Every message was delivered, once, and every one of QoS 1 and 2 acknowledged.'
      : '',
    lost.length === 0 ? '' : `Lost: ${lost.join(', ')}.`,
    surplus.length === 0 ? '' : `More than was sent: ${surplus.join(', ')}.`,
  ].filter((sentence) => sentence !== '')
}
