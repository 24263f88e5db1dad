import { base, connect, journal, level, promise, sleep, statesAgree, until, watch } from '../kit.mjs'

export async function prove() {
  const client = await connect()
  await words(client)
  await pulses(client)
  await maxOn(client)
  await blinks(client)
  client.end()
  await statesAgree()
}

async function words(client) {
  const lines = watch()
  const begun = Date.now()
  const all = ['on', 'off', 'ON', '0', '"on"', 'false', 'toggle', 'toggle', '1', 'Off']
  const levels = []
  for (const [index, word] of all.entries()) {
    await client.set('lamp', word)
    levels.push(
      await until(
        (value) => value === (index + 1) % 2,
        () => level('lamp'),
      ),
    )
    await sleep(30)
  }
  lines.promise(
    'each word of a set topic moves the line',
    lines.levels('lamp') === `0${levels.join('')}` && levels.join('') === '1010101010',
    ['lamp'],
    all.join(' '),
  )
  await client.set('lamp', 'perhaps')
  const log = await journal('pin command not understood', begun)
  promise('another one is a line in the log, and moves nothing', log !== '' && level('lamp') === 0, log)
  await client.set('valve', 'on', { retain: true })
  await until(
    (value) => value === 1,
    () => level('valve'),
  )
  await client.set('valve', 'off') // the retained one waits for the starts to come
  const late = await connect()
  const states = await until(
    (list) => list.length >= 10,
    () => late.all.filter((text) => text.startsWith(`${base}/pins/`) && !text.includes('/set')),
    5,
  )
  const areRetained = states.length === 10 && states.every((text) => text.endsWith('(retained)'))
  promise(
    'who comes later gets the states of all pins',
    areRetained,
    states.join(', ').replaceAll(`${base}/pins/`, ''),
  )
  late.end()
}

/** The longest that the line can have been at the level from its nth change, and the shortest. */
function lastedMs(edges, index) {
  const [from, to] = [edges[index], edges[index + 1]]
  return { mostMs: to.byMs - from.afterMs, leastMs: to.afterMs - from.byMs }
}

async function pulses(client) {
  for (const ms of [100, 600]) {
    const lines = watch()
    await client.publish(`house/pulse/${ms}`, '')
    await lines.had('relay', 3)
    const { mostMs, leastMs } = lastedMs(lines.edges('relay'), 0)
    lines.promise(
      `a pulse of ${ms} ms is not shorter, and not much longer`,
      mostMs >= ms && leastMs < ms + 1_000,
      ['relay'],
    )
  }
  const lines = watch()
  const pulse = client.publish('house/pulse/600', '')
  await client.set('relay', 'on') // at once: a machine that is busy may take longer for a pause than was asked for
  await pulse
  await sleep(1_200)
  await client.set('relay', 'off')
  await lines.had('relay', 3)
  const { mostMs } = lastedMs(lines.edges('relay'), 0)
  lines.promise('a later command cancels the way back', mostMs > 1_100 && lines.levels('relay') === '101', [
    'relay',
  ])
}

async function maxOn(client) {
  const lines = watch()
  const begun = Date.now()
  let count = 0
  for (; Date.now() - begun < 2_500; count++) {
    await client.set('lamp', 'on', { qos: count % 2 })
    await sleep(50)
  }
  await lines.had('lamp', 3)
  const { mostMs, leastMs } = lastedMs(lines.edges('lamp'), 0)
  lines.promise(
    'max_on of 3 s holds under repeated ON commands',
    mostMs >= 3_000 && leastMs < 4_000 && lines.levels('lamp') === '010',
    ['lamp'],
    `${count} commands; ${await journal('switched off by max_on', begun)}`,
  )
  const again = watch()
  await client.set('up', 'on')
  await sleep(600)
  await client.set('up', 'off')
  await sleep(50)
  await client.set('up', 'on')
  await again.had('up', 5)
  const second = lastedMs(again.edges('up'), 2)
  again.promise(
    'off and on again begins a new max_on',
    second.mostMs >= 1_000 && second.leastMs < 2_000 && again.levels('up') === '01010',
    ['up'],
  )
}

async function blinks(client) {
  const lines = watch()
  client.all.length = 0
  await client.publish('house/blink', '')
  await until(
    (all) => all.includes(`${base}/pins/relay off`),
    () => client.all,
  )
  const edges = lines.edges('relay')
  const phasesMs = edges.slice(1).map((edge, index) => edge.byMs - edges[index].afterMs)
  const states = client.all.filter((text) => text.includes('pins/relay'))
  lines.promise(
    'blink of 100 ms for 1 s, then off',
    edges.length >= 4 &&
      edges.length <= 12 &&
      edges.at(-1).level === 1 &&
      phasesMs.slice(0, -1).every((ms) => ms > 60),
    ['relay'],
    states.join(', '),
  )
}
