import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { driveSafe, safeOutputs } from '#src/gpio/safe.js'
import { input, KeptLog, output, temporaryFolder } from '../support/gpio-kit.js'

const choice = 'simulated'
const pins = [
  output('lamp', 17),
  input('door', 27),
  output('vent', 'GPIO18', { onStop: 'on', isActiveLow: true }),
]

test('every configured output is driven to on_stop, and the simulator says that it is one', async () => {
  const log = new KeptLog()
  const report = await driveSafe({ outputs: safeOutputs(pins), choice, holdMs: 0, log })
  assert.deepEqual(report, { isSimulated: true, driven: ['lamp', 'vent'], failed: [] })
  assert.equal(log.of('warn')[0]?.message, 'pins are simulated: no real line moves')
  assert.deepEqual(
    log.of('info').map(({ pin, state, line }) => [pin, state, line]),
    [
      ['lamp', 'off', 'GPIO17 (line 17 of simulated)'],
      ['vent', 'on', 'GPIO18 (line 18 of simulated)'],
    ],
  )
})

test('an output that cannot be had is told, and the others are driven', async () => {
  const log = new KeptLog()
  const outputs = safeOutputs([
    output('lamp', 17),
    output('again', 17),
    output('none', 99),
    output('vent', 18),
  ])
  const report = await driveSafe({ outputs, choice, holdMs: 0, log })
  assert.deepEqual(report.driven, ['lamp', 'vent'])
  assert.deepEqual(
    report.failed.map(({ pin }) => pin),
    ['again', 'none'],
  )
  assert.match(report.failed[0]?.reason ?? '', /GPIO17 .* is busy/)
  assert.match(report.failed[1]?.reason ?? '', /no line GPIO99/)
  assert.equal(log.of('error').length, 2)
})

test('an output from the record goes by its number while the name there is the same, else by its name', async () => {
  const log = new KeptLog()
  const held = { isActiveLow: false, onStop: 'off' } as const
  const outputs = [
    { ...held, pin: 'same', line: 'GPIO5', offset: 5 },
    { ...held, pin: 'moved', line: 'GPIO6', offset: 9 },
    { ...held, pin: 'gone', line: '', offset: 7 },
  ]
  const report = await driveSafe({ outputs, choice, label: 'simulated', holdMs: 0, log })
  assert.deepEqual(
    log.of('info').map(({ line }) => line),
    ['GPIO5 (line 5 of simulated)', 'GPIO6 (line 6 of simulated)'],
  )
  assert.deepEqual(
    report.failed.map(({ pin }) => pin),
    ['gone'],
  )
})

test('nothing is driven on another chip than the one of the record', async () => {
  const log = new KeptLog()
  const outputs = safeOutputs(pins)
  await assert.rejects(driveSafe({ outputs, choice, label: 'pinctrl-rp1', holdMs: 0, log }), {
    code: 'GPIO_NO_CHIP',
    message: /held on a chip "pinctrl-rp1", but simulated is "simulated": nothing was driven/,
  })
  assert.deepEqual(log.of('info'), [])
})

test('without outputs no chip is opened; with one a chip that is none is an error', async (t) => {
  const deviceDir = await temporaryFolder(t)
  await writeFile(join(deviceDir, 'gpiochip0'), '')
  const options = { choice: 'auto', holdMs: 0, log: new KeptLog(), deviceDir }
  assert.deepEqual(await driveSafe({ ...options, outputs: [] }), {
    isSimulated: false,
    driven: [],
    failed: [],
  })
  await assert.rejects(driveSafe({ ...options, outputs: safeOutputs(pins) }), { code: 'GPIO_NO_CHIP' })
})

test('the lines are held for as long as was asked', async () => {
  const log = new KeptLog()
  const before = performance.now()
  await driveSafe({ outputs: safeOutputs(pins), choice, holdMs: 150, log })
  assert.ok(performance.now() - before >= 149)
})

test('what is found later is driven after the first, in the same hold', async () => {
  const log = new KeptLog()
  const more = async () => {
    assert.equal(log.of('info').length, 1)
    return safeOutputs([output('fan', 17), output('vent', 18)])
  }
  const report = await driveSafe({ outputs: safeOutputs([output('lamp', 17)]), more, choice, holdMs: 0, log })
  assert.deepEqual(report.driven, ['lamp', 'vent'])
  assert.match(report.failed[0]?.reason ?? '', /busy/)
})

test('with nothing at first, what is found later is all there is', async () => {
  const log = new KeptLog()
  const options = { outputs: [], choice, holdMs: 0, log }
  const more = async () => safeOutputs([output('vent', 18)])
  assert.deepEqual((await driveSafe({ ...options, more })).driven, ['vent'])
  assert.deepEqual((await driveSafe({ ...options, more: async () => [] })).driven, [])
})
