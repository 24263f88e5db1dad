// The compiled code on the kernel's own simulated chip (gpio-sim), whose levels stand in sysfs.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Counters } from '#src/core/counters.js'
import { PinBoard } from '#src/gpio/board.js'
import { openChip } from '#src/gpio/open-chip.js'
import { readOutputsRecord } from '#src/gpio/record.js'
import { driveSafe } from '#src/gpio/safe.js'

const pi = process.env.PI
const place = { file: 'damselfly.yaml', line: 1, column: 1 }
const dataDir = mkdtempSync('/tmp/gpio-')
const counters = new Counters()
const logged = []
const log = Object.fromEntries(
  ['debug', 'info', 'warn', 'error'].map((level) => [
    level,
    (fields, text) => logged.push({ level, text, ...fields }),
  ]),
)
const board = new PinBoard({ choice: 'auto', dataDir, log, counters })
const level = (line) => readFileSync(`${pi}/sim_gpio${line}/value`, 'utf8').trim()
const pull = (line, direction) => writeFileSync(`${pi}/sim_gpio${line}/pull`, `pull-${direction}`)
const out = (name, line, more = {}) => ({
  name,
  direction: 'out',
  line,
  isActiveLow: false,
  initial: 'off',
  onStop: 'off',
  place,
  ...more,
})
const input = (name, line, more = {}) => ({
  name,
  direction: 'in',
  line,
  isActiveLow: false,
  pull: 'as-is',
  debounceMs: 0,
  place,
  ...more,
})
const lamp = out('lamp', 17)
const relay = out('relay', 'GPIO18', { isActiveLow: true })
const pump = out('pump', 19, { initial: 'on', onStop: 'on', maxOnMs: 60_000 })
const button = input('button', 22, { debounceMs: 40 })
const door = input('door', 27, { pull: 'up', isActiveLow: true })
const edges = []
let other

before(async () => {
  const started = process.memoryUsage().rss
  await board.start([lamp, relay, pump])
  const outputs = process.memoryUsage().rss
  await board.apply([lamp, relay, pump, button, door])
  await sleep(1_000)
  const inputs = process.memoryUsage().rss
  const mb = (bytes) => (bytes / 1e6).toFixed(1)
  console.log(`resident: outputs +${mb(outputs - started)} MB, input thread +${mb(inputs - outputs)} MB`)
  board.listen({ onEdge: (pin, state) => edges.push(`${pin.name} ${state}`) })
})

after(async () => {
  await board.close()
  other?.kill()
})

async function until(what, holds) {
  for (let tries = 0; tries < 100; tries++) {
    if (holds()) return
    await sleep(50)
  }
  assert.fail(`never happened: ${what}`)
}

test('the chip is found by its label, not by its number', () => {
  assert.equal(board.chip.label, 'pinctrl-bcm2711')
  assert.notEqual(board.chip.path, '/dev/gpiochip0')
})

test('outputs have their first level in the request, active low included', () => {
  assert.deepEqual([level(17), level(18), level(19)], ['0', '1', '1'])
  const info = spawnSync('gpioinfo', ['GPIO17', 'GPIO18'], { encoding: 'utf8' }).stdout
  assert.match(info, /GPIO17.*output.*consumer="?damselfly/)
  assert.match(info, /GPIO18.*active-low.*consumer="?damselfly/)
})

test('on, off and toggle move the line; `for` moves it back', async () => {
  board.set('lamp', 'on')
  assert.equal(level(17), '1')
  board.set('lamp', 'off')
  assert.equal(level(17), '0')
  board.set('relay', 'toggle')
  assert.equal(level(18), '0')
  board.set('relay', 'toggle')
  board.set('lamp', 'on', { forMs: 300 })
  assert.equal(level(17), '1')
  await until('lamp off again', () => level(17) === '0')
})

test('a busy line names its holder, and leaves the other pins as they are', async () => {
  other = spawn('gpioset', ['-C', 'heating', '-c', board.chip.path, 'GPIO23=1'], { stdio: 'ignore' })
  await until('line taken', () => level(23) === '1')
  board.set('lamp', 'on')
  const problems = await board.apply([lamp, relay, pump, button, door, out('fan', 23)])
  assert.equal(problems.length, 1)
  assert.equal(problems[0].error.code, 'GPIO_BUSY')
  assert.match(problems[0].error.message, /GPIO23 \(line 23 of .*held by "heating"/)
  assert.equal(level(17), '1')
  board.set('lamp', 'off')
})

test('a second Damselfly is told that the first holds the line', async () => {
  const second = new PinBoard({ choice: 'auto', dataDir: `${dataDir}/second`, log, counters })
  await assert.rejects(second.start([out('x', 17)]), { code: 'GPIO_BUSY', message: /another Damselfly/ })
})

test('a line that the chip has not is refused with those it has', async () => {
  const second = new PinBoard({ choice: 'auto', dataDir: `${dataDir}/second`, log, counters })
  await assert.rejects(second.start([out('x', 40), out('y', 'GPIO99')]), {
    code: 'GPIO_NO_LINE',
    message: /no line GPIO40.*GPIO0 to GPIO27.*\n.*no line GPIO99/,
  })
})

test('inputs have their level at the start: pulled by the request, inverted in the kernel', () => {
  assert.equal(board.state('button'), 'off')
  assert.equal(board.state('door'), 'off') // pulled up by its request, and active low
})

test('edges come through the thread, in order, debounced by the kernel', async () => {
  edges.length = 0
  for (const direction of ['up', 'down', 'up', 'down']) {
    pull(22, direction)
    await sleep(250)
  }
  pull(27, 'down')
  await until('five edges', () => edges.length >= 5)
  assert.deepEqual(edges, ['button on', 'button off', 'button on', 'button off', 'door on'])
  edges.length = 0
  pull(22, 'up')
  pull(22, 'down') // shorter than the debounce
  await sleep(500)
  assert.deepEqual(edges, [])
  assert.equal(board.state('button'), 'off')
})

test('an input that changes at a reload is taken anew, and the others keep reporting', async () => {
  await board.apply([lamp, relay, pump, { ...button, isActiveLow: true }, door])
  assert.equal(board.state('button'), 'on')
  edges.length = 0
  pull(22, 'up')
  await sleep(300)
  pull(27, 'up')
  await until('two edges', () => edges.length >= 2)
  assert.deepEqual(edges, ['button off', 'door off'])
})

test('a removed input is free for others, and one that is added later reports', async () => {
  await board.apply([lamp, relay, pump])
  assert.doesNotMatch(spawnSync('gpioinfo', ['GPIO22'], { encoding: 'utf8' }).stdout, /consumer/)
  await board.apply([lamp, relay, pump, button])
  edges.length = 0
  pull(22, 'down')
  await until('an edge', () => edges.length >= 1)
  assert.deepEqual(edges, ['button off'])
})

test('the chip is denied to a user outside the group, with the remedy', () => {
  const script = `import('/job/dist/gpio/open-chip.js').then(({ openChip }) => openChip({ choice: 'auto', log: {} }))
    .catch((error) => console.log(error.code, error.message))`
  const child = spawnSync(process.execPath, ['-e', script], { uid: 65534, gid: 65534, encoding: 'utf8' })
  assert.match(child.stdout, /^GPIO_DENIED may not open .*usermod -aG gpio nobody/, child.stderr)
})

test('a close drives on_stop and frees the lines', async () => {
  const chip = await openChip({ choice: 'auto', log, counters })
  board.set('lamp', 'on')
  await board.close()
  assert.throws(() => board.set('lamp', 'on'), { code: 'GPIO_FAILED' })
  const line = chip.requestOutput(17, { isActiveLow: false, value: false })
  line.release()
  await chip.close()
})

test('after kill -9, safe drives on_stop from the record and holds the line', async () => {
  pull(5, 'down')
  const folder = `${dataDir}/killed`
  const daemon = spawn(process.execPath, ['job/held-output.mjs', folder])
  await once(daemon.stdout, 'data')
  const record = await readOutputsRecord(folder)
  const { choice, chip, outputs } = record
  const busy = await driveSafe({ outputs, choice, label: chip.label, holdMs: 0, log })
  assert.match(busy.failed[0].reason, /GPIO5 .* is busy: held by "damselfly"/)
  daemon.kill('SIGKILL')
  await once(daemon, 'exit')
  assert.equal(level(5), '0')
  const driving = driveSafe({ outputs, choice, label: chip.label, holdMs: 1_500, log })
  await until('valve on', () => level(5) === '1')
  const report = await driving
  assert.deepEqual([report.driven, report.failed, report.isSimulated], [['valve'], [], false])
  assert.equal(level(5), '0') // this kernel lets a released line go; hence the hold
  await assert.rejects(driveSafe({ outputs, choice, label: 'other', holdMs: 0, log }), {
    code: 'GPIO_NO_CHIP',
  })
  const simulated = await driveSafe({ outputs, choice, label: 'simulated', holdMs: 0, log })
  assert.deepEqual(simulated.driven, ['valve']) // what was held on no chip may be driven on any
})
