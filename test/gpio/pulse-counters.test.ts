import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, readlink, rmdir, symlink, writeFile } from 'node:fs/promises'
import { mock, type TestContext, test } from 'node:test'
import { Counters } from '#src/core/counters.js'
import { limits } from '#src/core/limits.js'
import type { PulseCount } from '#src/core/pin.js'
import { PinOutbox } from '#src/gpio/outbox.js'
import { PulseCounters } from '#src/gpio/pulse-counters.js'
import { pulseFilePath, readReadings, writeReadings } from '#src/gpio/pulse-file.js'
import { MemoryHub } from '../support/gpio-hub.js'
import { SayingBoard } from '../support/gpio-inputs.js'
import { input, KeptLog, temporaryFolder } from '../support/gpio-kit.js'
import { until } from '../support/until.js'

const count: PulseCount = { perPulse: 0.5, ratePer: 'm', everyMs: 10_000, publish: 'home/water' }
const water = input('water', 22, { count })

async function keptIn(dataDir: string) {
  const found = await readReadings(dataDir)
  assert.equal(found.kind, 'read')
  return Object.fromEntries('readings' in found ? found.readings : [])
}

/** Counters on a board that has `water`, under a clock that `pass` moves. */
async function world(t: TestContext, options: { dataDir?: string; pins?: (typeof water)[] } = {}) {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  t.after(() => mock.timers.reset())
  const dataDir = options.dataDir ?? (await temporaryFolder(t))
  const clock = { nowMs: 1_000_000 }
  const board = new SayingBoard()
  board.pins = options.pins ?? [water]
  const hub = new MemoryHub()
  const log = new KeptLog()
  const counters = new Counters()
  const outbox = new PinOutbox({ hub, log, counters })
  const pulses = await PulseCounters.open({ board, outbox, dataDir, log, counters, nowMs: () => clock.nowMs })
  t.after(() => pulses.close())
  return {
    board,
    hub,
    log,
    counters,
    pulses,
    dataDir,
    messages: () => hub.published.splice(0).map(({ topic, payload }) => `${topic} ${payload}`),
    /** So many pulses, a second apart. */
    pulse: (times: number, pin = water) => {
      for (let done = 0; done < times; done++) {
        clock.nowMs += 1_000
        board.edge(pin, 'on', { atMs: clock.nowMs })
        board.edge(pin, 'off', { atMs: clock.nowMs })
      }
    },
    pass: (ms: number) => {
      clock.nowMs += ms
      mock.timers.tick(ms)
    },
    kept: () => keptIn(dataDir),
  }
}

test('total, rate and pulses are told at the beginning, and then when they have changed', async (t) => {
  const { pulses, board, hub, pulse, pass, messages } = await world(t)
  pulses.apply()
  assert.equal(hub.published[0]?.retain, undefined)
  assert.deepEqual(messages(), ['home/water {"total":0,"rate":0,"pulses":0}'])
  pass(10_000)
  assert.deepEqual([messages(), board.told], [[], []])

  pulse(3)
  assert.deepEqual(messages(), []) // not each pulse
  pass(10_000)
  assert.deepEqual(messages(), ['home/water {"total":1.5,"rate":3,"pulses":3}'])
  assert.deepEqual(board.told, ['water'])
  pass(10_000)
  assert.deepEqual(messages(), ['home/water {"total":1.5,"rate":1.5,"pulses":3}'])
  pass(50_000)
  assert.equal(messages().at(-1), 'home/water {"total":1.5,"rate":0,"pulses":3}')
  pass(100_000)
  assert.deepEqual([messages(), board.told], [[], ['water']])
})

test('a count without a topic tells the board alone; the board is given the total at any time', async (t) => {
  const quiet = input('quiet', 23, { count: { perPulse: 1, ratePer: 'h', everyMs: 1_000 } })
  const { pulses, board, pulse, pass, messages } = await world(t, { pins: [quiet] })
  pulses.apply()
  pulse(2, quiet)
  assert.equal(pulses.totalOf(quiet), 2)
  pass(1_000)
  assert.deepEqual([board.told, messages()], [['quiet'], []])
  assert.equal(pulses.totalOf(water), 0)
})

test('pulses among lost edges are counted, and told in the log', async (t) => {
  const { board, pulses, log } = await world(t)
  pulses.apply()
  board.edge(water, 'off', { atMs: 1, lostEdges: 20, rises: 10 })
  board.seen(water, 'on') // a level that was only looked at is no pulse
  assert.equal(pulses.totalOf(water), 5)
  assert.deepEqual(log.of('warn'), [
    {
      pin: 'water',
      lostEdges: 20,
      pulses: 10,
      level: 'warn',
      message: 'edges of a counter came too fast to be told one by one: counted by their numbers',
    },
  ])
})

test('the total is set to what the meter shows, told and kept at once', async (t) => {
  const { board, pulses, pulse, messages, kept, log } = await world(t)
  pulses.apply()
  pulse(2)
  messages()
  board.align(water, 1_234.5)
  assert.deepEqual(messages(), ['home/water {"total":1234.5,"rate":30,"pulses":2}'])
  assert.deepEqual(board.told, ['water'])
  await until('kept', async () => (await kept())['water']?.total === 1_234.5)
  pulse(1)
  assert.equal(pulses.totalOf(water), 1_235)
  assert.deepEqual([log.of('info')[0]?.['from'], log.of('info')[0]?.['to']], [1, 1_234.5])
})

test('a pulse is kept a minute later at most, and all are kept at the end', async (t) => {
  const { pulses, pulse, pass, kept, dataDir, messages } = await world(t)
  pulses.apply()
  pulse(1)
  pass(59_000)
  pulse(1)
  pass(999)
  assert.deepEqual(await readdir(dataDir), [])
  pass(1)
  await until('kept', async () => (await kept())['water']?.pulses === 2)
  pulse(3)
  messages()
  await pulses.close()
  assert.equal(messages().length, 1)
  assert.deepEqual(await kept(), { water: { pulses: 5, total: 2.5 } })
  assert.deepEqual(await readdir(dataDir), ['counters.json'])
  pulse(1)
  assert.deepEqual(messages(), [])
})

test('the count goes on after a restart, and with another worth of a pulse from where it is', async (t) => {
  const first = await world(t)
  first.pulses.apply()
  first.pulse(4)
  await first.pulses.close()
  mock.timers.reset()
  const second = await world(t, { dataDir: first.dataDir })
  assert.equal(second.pulses.totalOf(water), 2) // known before the pins are
  second.pulses.apply()
  assert.deepEqual(second.messages(), ['home/water {"total":2,"rate":0,"pulses":4}'])
  const larger = { ...water, count: { ...count, perPulse: 10 } }
  second.board.pins = [larger]
  second.pulses.apply()
  second.pulse(1, larger)
  assert.equal(second.pulses.totalOf(larger), 12)
})

test('a pin that is gone is told no more, and its total waits for it', async (t) => {
  const { pulses, board, pulse, pass, messages, kept } = await world(t)
  pulses.apply()
  pulse(1)
  board.pins = []
  pulses.apply()
  messages()
  pass(60_000)
  assert.deepEqual(messages(), [])
  await until('kept', async () => (await kept())['water']?.pulses === 1)
  board.pins = [water]
  pulses.apply()
  assert.deepEqual(messages(), ['home/water {"total":0.5,"rate":0,"pulses":1}'])
})

for (const [what, text] of [
  ['that is no JSON', '{"version":1,"counters":{"wat'],
  ['of another version', '{"version":2,"counters":{}}'],
  ['without counters', '{"version":1,"counters":7}'],
] as const)
  test(`a file ${what} is set aside and told, and counting begins anew`, async (t) => {
    const dataDir = await temporaryFolder(t)
    await writeFile(pulseFilePath(dataDir), text)
    const { pulses, pulse, log, kept } = await world(t, { dataDir })
    pulses.apply()
    assert.match(
      `${log.of('error')[0]?.message}: ${log.of('error')[0]?.['reason']}`,
      /^counters begin at 0: .*; it is now .*counters\.json\.damaged-/,
    )
    pulse(2)
    await pulses.close()
    assert.equal((await kept())['water']?.pulses, 2)
    const aside = (await readdir(dataDir)).find((name) => name.includes('damaged')) ?? ''
    assert.equal(await readFile(`${dataDir}/${aside}`, 'utf8'), text)
  })

for (const [what, bad] of [
  ['a count', { pulses: -1, total: 0 }],
  ['a total', { pulses: 1, total: '2' }],
  ['an entry', null],
] as const)
  test(`${what} that cannot be is told, and the others go on`, async (t) => {
    const dataDir = await temporaryFolder(t)
    const text = JSON.stringify({ version: 1, counters: { gas: bad, water: { pulses: 4, total: 7 } } })
    await writeFile(pulseFilePath(dataDir), text)
    const { pulses, pulse, log } = await world(t, { dataDir })
    pulses.apply()
    const [told, more] = log.of('error')
    assert.deepEqual([told?.message, more], ['some counters begin at 0', undefined])
    assert.equal(told?.['reason'], `no whole pulses with a total: gas: ${JSON.stringify(bad)}`)
    pulse(1)
    await pulses.close()
    assert.deepEqual(await keptIn(dataDir), { water: { pulses: 5, total: 7.5 } })
  })

test('a file that cannot be read is told, and neither moved nor written', async (t) => {
  const dataDir = await temporaryFolder(t)
  await symlink('counters.json', pulseFilePath(dataDir)) // leads to itself: ELOOP
  const { pulses, board, pulse, pass, log } = await world(t, { dataDir })
  pulses.apply()
  const [told] = log.of('error')
  assert.equal(told?.message, 'counters begin at 0 and are not kept')
  assert.equal(told?.['file'], pulseFilePath(dataDir))
  assert.match(`${told?.['reason']}; ${told?.['remedy']}`, /ELOOP.*; make it a file that .* restart/)
  pulse(2)
  pass(60_000)
  board.align(water, 5)
  assert.equal(pulses.totalOf(water), 5)
  await pulses.close()
  assert.deepEqual(await readdir(dataDir), ['counters.json'])
  assert.equal(await readlink(pulseFilePath(dataDir)), 'counters.json')
})

test('of many alignments the first is kept at once, the others once in 5 s, the last one always', async (t) => {
  const { board, pulses, pass, kept } = await world(t)
  pulses.apply()
  const total = async () => (await kept())['water']?.total
  board.align(water, 1)
  await until('kept', async () => (await total()) === 1)
  for (let aligned = 2; aligned <= 100; aligned++) board.align(water, aligned)
  pass(4_999)
  for (let turn = 0; turn < 20; turn++) assert.equal(await total(), 1)
  pass(1)
  await until('kept', async () => (await total()) === 100)
  board.align(water, 101)
  assert.equal(await total(), 100)
  await pulses.close()
  assert.equal(await total(), 101)
})

test('an alignment long after another one is kept at once', async (t) => {
  const { board, pulses, pass, kept } = await world(t)
  pulses.apply()
  board.align(water, 1)
  pass(5_000)
  board.align(water, 2)
  await until('kept', async () => (await kept())['water']?.total === 2)
})

test('a file that cannot be written is told, and tried again', async (t) => {
  const { pulses, pulse, pass, dataDir, log, kept } = await world(t)
  pulses.apply()
  await mkdir(pulseFilePath(dataDir)) // a folder stands in its way
  pulse(1)
  pass(60_000)
  await until('told', () => log.of('error').length === 1)
  assert.equal(log.of('error')[0]?.message, 'totals of counters not kept')
  await rmdir(pulseFilePath(dataDir))
  pass(60_000)
  await until('kept', async () => (await kept())['water']?.pulses === 1)
})

test('as many totals are kept as the limit says; one more, and that of the pin longest gone is forgotten', async (t) => {
  const dataDir = await temporaryFolder(t)
  const names = (total: number) => Array.from({ length: total }, (_, number) => `gone${number}`)
  const readings = (total: number) => new Map(names(total).map((name) => [name, { pulses: 1, total: 1 }]))
  await writeReadings(dataDir, readings(limits.pulseTotalsKept - 1))
  const first = await world(t, { dataDir })
  first.pulses.apply()
  first.pulse(1)
  await first.pulses.close()
  assert.equal(Object.keys(await first.kept()).length, limits.pulseTotalsKept)
  assert.equal(first.counters.get('pulseTotalsKept'), 0)

  mock.timers.reset()
  const gas = input('gas', 23, { count })
  const second = await world(t, { dataDir, pins: [gas] })
  second.pulses.apply()
  second.pulse(1, gas)
  await second.pulses.close()
  const kept = await second.kept()
  assert.equal(Object.keys(kept).length, limits.pulseTotalsKept)
  assert.equal(second.counters.get('pulseTotalsKept'), 1)
  assert.deepEqual(
    [kept['gone0'], kept['gone1']?.pulses, kept['water']?.pulses, kept['gas']?.pulses],
    [undefined, 1, 1, 1],
  )
})
