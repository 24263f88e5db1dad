// Presses and counters on the kernel's own simulated chip, whose edges are told with the kernel's times and numbers.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Counters } from '#src/core/counters.js'
import { PinBoard } from '#src/gpio/board.js'
import { PinOutbox } from '#src/gpio/outbox.js'
import { startPresses } from '#src/gpio/presses.js'
import { PulseCounters } from '#src/gpio/pulse-counters.js'

const pi = process.env.PI
const place = { file: 'damselfly.yaml', line: 1, column: 1 }
const dataDir = mkdtempSync('/tmp/inputs-')
const counters = new Counters()
const logged = []
const log = Object.fromEntries(
  ['debug', 'info', 'warn', 'error'].map((level) => [
    level,
    (fields, text) => level === 'debug' || logged.push({ level, text, ...fields }),
  ]),
)
const published = []
const hub = { publish: async ({ topic, payload }) => void published.push(`${topic} ${payload}`) }
const outbox = new PinOutbox({ hub, log, counters })
const slowPulses = 200
const perPulse = 0.5
const pull = (line, direction) => writeFileSync(`${pi}/sim_gpio${line}/pull`, `pull-${direction}`)
const press = () => pull(22, 'down') // to ground
const release = () => pull(22, 'up')
const common = { direction: 'in', isActiveLow: true, pull: 'up', place }
const bell = {
  ...common,
  name: 'bell',
  line: 22,
  debounceMs: 20,
  press: { topics: {}, longMs: 800, doubleMs: 400 },
}
const water = {
  ...common,
  name: 'water',
  line: 27,
  debounceMs: 0,
  count: { perPulse, ratePer: 'm', everyMs: 500, publish: 'home/water' },
}
let pulses
const board = new PinBoard({
  choice: 'auto',
  dataDir,
  log,
  counters,
  totalOf: (pin) => pulses?.totalOf(pin) ?? 0,
})
let presses

before(async () => {
  pull(22, 'up')
  pull(27, 'up')
  pulses = await PulseCounters.open({ board, outbox, dataDir, log, counters })
  await board.start([bell, water])
  pulses.apply()
  presses = startPresses({ board, outbox, name: 'pi' })
  await sleep(500)
})

after(async () => {
  presses.close()
  await pulses.close()
  await outbox.close()
  await board.close()
})

async function until(what, holds, withinMs = 5_000) {
  for (const endMs = performance.now() + withinMs; performance.now() < endMs; ) {
    if (holds()) return
    await sleep(50)
  }
  assert.fail(`never happened: ${what}`)
}

const told = () => published.filter((line) => line.startsWith('damselfly/pi/pins/bell/press'))
const kinds = () => told().map((line) => line.split(' ')[1])
const block = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

test('short, long and double presses are told apart, bounces and all', async () => {
  published.length = 0
  press()
  release()
  press() // bounces, shorter than the debounce
  await sleep(200)
  release()
  await until('short', () => kinds().length === 1)

  press()
  await until('long, while it is held', () => kinds().length === 2)
  await sleep(300)
  release()
  await sleep(700)

  press()
  await sleep(150)
  release()
  await sleep(150)
  press()
  await sleep(150)
  release()
  await sleep(700)
  assert.deepEqual(kinds(), ['short', 'long', 'double'])
})

test('a process that is busy while the button is released does not make a short press long', async () => {
  published.length = 0
  press()
  await sleep(200)
  release()
  block(1_500) // both times pass unheard
  await until('a press', () => kinds().length > 0)
  await sleep(500)
  assert.deepEqual(kinds(), ['short'])
})

test('a process that is busy while the button is pressed again does not make a double press two', async () => {
  published.length = 0
  press()
  await sleep(150)
  release()
  block(100)
  press()
  block(150)
  release()
  block(1_500)
  await until('a press', () => kinds().length > 0)
  await sleep(500)
  assert.deepEqual(kinds(), ['double'])
})

test('of 400 slow edges each pulse is counted once', { timeout: 120_000 }, async () => {
  published.length = 0
  const startMs = performance.now()
  for (let pulse = 0; pulse < slowPulses; pulse++) {
    pull(27, 'down')
    await sleep(60)
    pull(27, 'up')
    await sleep(60)
  }
  const tookMs = performance.now() - startMs
  await until('all of them', () => pulses.totalOf(water) === slowPulses * perPulse)
  await sleep(1_000)
  const samples = published
    .filter((line) => line.startsWith('home/water'))
    .map((line) => JSON.parse(line.slice('home/water '.length)))
  const rates = samples.map(({ rate }) => rate).sort((a, b) => a - b)
  const rate = rates[Math.floor(rates.length / 2)]
  const truth = perPulse * slowPulses * (60_000 / tookMs)
  console.log(
    `${slowPulses} pulses in ${(tookMs / 1_000).toFixed(1)} s: rate ${rate}, in truth ${truth.toFixed(1)}`,
  )
  assert.deepEqual([samples.at(-1).total, samples.at(-1).pulses], [slowPulses * perPulse, slowPulses])
  assert.ok(rate > truth * 0.8 && rate < truth * 1.2, `rate ${rate}, in truth ${truth}`)
  assert.equal(counters.get('gpio.edgesLost'), 0)
  assert.equal(board.state('water'), slowPulses * perPulse)
})

test('pulses for which the kernel had no room, because the process stood still, are counted by their numbers', {
  timeout: 120_000,
}, async () => {
  const pulsesMore = 150 // 300 edges; the kernel keeps 256
  const script = `
    const { writeFileSync } = require('node:fs')
    const wait = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
    process.kill(${process.pid}, 'SIGSTOP')
    for (let pulse = 0; pulse < ${pulsesMore}; pulse++)
      for (const direction of ['down', 'up']) {
        writeFileSync('${pi}/sim_gpio27/pull', 'pull-' + direction)
        wait(40)
      }
    process.kill(${process.pid}, 'SIGCONT')`
  const driver = spawn(process.execPath, ['-e', script], { stdio: 'inherit' })
  await once(driver, 'exit')
  // what is lost at the very end shows by the number of the next edge
  pull(27, 'down')
  await sleep(200)
  pull(27, 'up')
  const total = (slowPulses + pulsesMore + 1) * perPulse
  await until('all of them', () => pulses.totalOf(water) >= total)
  await sleep(500)
  assert.equal(pulses.totalOf(water), total)
  assert.equal(counters.get('gpio.edgesLost'), 2 * pulsesMore - 256)
  assert.match(logged.map(({ text }) => text).join('\n'), /counted by their numbers/)
})
