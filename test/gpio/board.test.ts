import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { Counters } from '#src/core/counters.js'
import { timerMsMax } from '#src/core/units.js'
import { PinBoard } from '#src/gpio/board.js'
import { readOutputsRecord } from '#src/gpio/record.js'
import { input, KeptLog, output, simulatedBoard, temporaryFolder } from '../support/gpio-kit.js'

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
afterEach(() => mock.timers.reset())

test('pins begin at their first level, which a listener hears, early or late', async (t) => {
  const { board, events } = await simulatedBoard(t)
  await board.start([
    output('lamp', 17),
    output('pump', 18, { initial: 'on' }),
    input('door', 27, { pull: 'up' }),
  ])
  const expected = ['lamp off', 'pump on', 'door on']
  assert.deepEqual(events, expected)
  const late: string[] = []
  board.listen({
    onState: (pin, state) => late.push(`${pin} ${state}`),
    onEdge: (pin) => late.push(pin.name),
  })
  assert.deepEqual(late, expected)
  assert.deepEqual([board.state('lamp'), board.state('pump'), board.state('door')], ['off', 'on', 'on'])
})

test('on, off and toggle switch an output at once; a state is told only when it changes', async (t) => {
  const { board, events } = await simulatedBoard(t)
  await board.start([output('lamp', 17)])
  events.length = 0
  board.set('lamp', 'on', { chain: ['evening'] })
  board.set('lamp', 'on')
  board.set('lamp', 'toggle')
  board.set('lamp', 'off')
  board.set('lamp', 'toggle')
  assert.deepEqual(events, ['lamp on evening', 'lamp off', 'lamp on'])
})

test('a switched pin is one info line, and fast switching does not flood the log', async (t) => {
  const { board, log, pass } = await simulatedBoard(t)
  await board.start([output('lamp', 17)])
  log.lines.length = 0
  for (let times = 0; times < 100; times++) board.set('lamp', 'toggle')
  assert.equal(log.of('info').length, 2)
  pass(10_000)
  board.set('lamp', 'on')
  assert.deepEqual(log.of('info')[2], {
    pin: 'lamp',
    state: 'on',
    unlogged: 49,
    level: 'info',
    message: 'pin switched',
  })
})

for (const [command, before, during, afterwards] of [
  ['on', 'off', 'on', 'off'],
  ['off', 'on', 'off', 'on'],
  ['toggle', 'on', 'off', 'on'],
  ['on', 'on', 'on', 'off'],
] as const)
  test(`${command} for a time on a pin that is ${before} ends at ${afterwards}, and starts a new chain`, async (t) => {
    const { board, events, pass } = await simulatedBoard(t)
    await board.start([output('lamp', 17, { initial: before })])
    board.set('lamp', command, { forMs: 30_000, chain: ['rule'] })
    assert.equal(board.state('lamp'), during)
    pass(29_999)
    assert.equal(board.state('lamp'), during)
    pass(1)
    assert.equal(board.state('lamp'), afterwards)
    assert.equal(events.at(-1), `lamp ${afterwards}`)
  })

test('any later command cancels the way back, even one that changes nothing', async (t) => {
  const { board, pass } = await simulatedBoard(t)
  await board.start([output('lamp', 17)])
  board.set('lamp', 'on', { forMs: 1_000 })
  board.set('lamp', 'on')
  pass(10_000)
  assert.equal(board.state('lamp'), 'on')
  board.set('lamp', 'on', { forMs: 1_000 })
  pass(900)
  board.set('lamp', 'on', { forMs: 1_000 })
  pass(900)
  assert.equal(board.state('lamp'), 'on')
  pass(100)
  assert.equal(board.state('lamp'), 'off')
})

test('a time of 24 days is kept; a longer one, a negative one and no number are refused and change nothing', async (t) => {
  const { board, pass } = await simulatedBoard(t)
  await board.start([output('lamp', 17)])
  for (const forMs of [timerMsMax + 1, -1, Number.NaN])
    assert.throws(() => board.set('lamp', 'on', { forMs }), { code: 'DURATION_INVALID', message: /pin lamp/ })
  assert.equal(board.state('lamp'), 'off')
  board.set('lamp', 'on', { forMs: timerMsMax })
  pass(timerMsMax - 1)
  assert.equal(board.state('lamp'), 'on')
  pass(1)
  assert.equal(board.state('lamp'), 'off')
})

test('max_on switches off whatever switched on, and a further on does not extend it', async (t) => {
  const { board, log, events, pass } = await simulatedBoard(t)
  await board.start([output('heater', 17, { maxOnMs: 10_000, initial: 'on' })])
  pass(9_999)
  board.set('heater', 'on', { chain: ['rule'] })
  assert.equal(board.state('heater'), 'on')
  pass(1)
  assert.equal(board.state('heater'), 'off')
  assert.deepEqual(log.of('warn').at(-1)?.['maxOn'], '10s')
  assert.deepEqual(events.at(-1), 'heater off')

  board.set('heater', 'off', { forMs: 1_000 }) // goes on by itself
  pass(1_000)
  assert.equal(board.state('heater'), 'on')
  pass(10_000)
  assert.equal(board.state('heater'), 'off')
})

test('max_on counts anew after an off in between', async (t) => {
  const { board, pass } = await simulatedBoard(t)
  await board.start([output('heater', 17, { maxOnMs: 10_000 })])
  board.set('heater', 'on')
  pass(9_000)
  board.set('heater', 'off')
  board.set('heater', 'on')
  pass(9_999)
  assert.equal(board.state('heater'), 'on')
  pass(1)
  assert.equal(board.state('heater'), 'off')
})

test('max_on wins over a longer time, which then is over', async (t) => {
  const { board, pass } = await simulatedBoard(t)
  await board.start([output('heater', 17, { maxOnMs: 10_000 })])
  board.set('heater', 'on', { forMs: 15_000 })
  pass(10_000)
  assert.equal(board.state('heater'), 'off')
  board.set('heater', 'on')
  pass(5_000)
  assert.equal(board.state('heater'), 'on')
})

test('a pulse resolves when the pin is off again', async (t) => {
  const { board, pass } = await simulatedBoard(t)
  await board.start([output('bell', 17)])
  const pulse = board.pulse('bell', 200)
  assert.equal(board.state('bell'), 'on')
  pass(200)
  await pulse
  assert.equal(board.state('bell'), 'off')
})

test('a pulse ends when a later command takes over, which stays as it is', async (t) => {
  const { board, pass } = await simulatedBoard(t)
  await board.start([output('bell', 17)])
  const controller = new AbortController()
  const pulse = board.pulse('bell', 200, controller.signal)
  board.set('bell', 'on')
  await pulse
  controller.abort() // the pin is not this pulse's any more
  pass(200)
  assert.equal(board.state('bell'), 'on')
})

test('a pulse that a listener takes over at once, or that is refused, leaves the pin alone at an abort', async (t) => {
  const { board } = await simulatedBoard(t)
  await board.start([output('bell', 17)])
  const controller = new AbortController()
  await assert.rejects(board.pulse('bell', -1, controller.signal), { code: 'DURATION_INVALID' })
  const end = board.listen({
    onState: (pin, state) => {
      if (state === 'on') board.set(pin, 'on')
    },
  })
  await board.pulse('bell', 200, controller.signal)
  end()
  controller.abort()
  assert.equal(board.state('bell'), 'on')
})

test('an abort ends a pulse at once, and one before it keeps it from beginning', async (t) => {
  const { board, events } = await simulatedBoard(t)
  await board.start([output('bell', 17)])
  const controller = new AbortController()
  const pulse = board.pulse('bell', 200, controller.signal)
  controller.abort()
  assert.equal(board.state('bell'), 'off')
  await pulse
  events.length = 0
  await board.pulse('bell', 200, controller.signal)
  assert.deepEqual(events, [])
})

test('a close ends a pulse, drives on_stop, tells it, and refuses commands from then on', async (t) => {
  const { board, events, pass } = await simulatedBoard(t)
  await board.start([
    output('bell', 17),
    output('vent', 18, { onStop: 'on', maxOnMs: 1_000 }),
    input('door', 27),
  ])
  const pulse = board.pulse('bell', 200)
  events.length = 0
  await board.close()
  await board.close()
  await pulse
  assert.deepEqual(events, ['bell off', 'vent on'])
  pass(10_000)
  assert.deepEqual(events, ['bell off', 'vent on'])
  assert.throws(() => board.set('bell', 'on'), { code: 'GPIO_FAILED', message: /stopping/ })
  await assert.rejects(board.pulse('bell', 1), { code: 'GPIO_FAILED' })
  await assert.rejects(board.apply([]), { code: 'GPIO_FAILED' })
})

test('an unknown pin is refused with the nearest name and those there are', async (t) => {
  const { board } = await simulatedBoard(t)
  await board.start([output('lamp', 17), output('pump', 18)])
  const refusal = { code: 'PIN_UNKNOWN', message: /"lmap"; did you mean lamp\?; there are lamp, pump/ }
  assert.throws(() => board.set('lmap', 'on'), refusal)
  assert.throws(() => board.state('lmap'), refusal)
  await assert.rejects(board.pulse('lmap', 1), refusal)
  for (const name of ['__proto__', 'constructor', ''])
    assert.throws(() => board.set(name, 'on'), { code: 'PIN_UNKNOWN' })
})

test('an input cannot be switched, but a simulated one can be driven, and tells its edges', async (t) => {
  const { board, events } = await simulatedBoard(t)
  await board.start([input('door', 27, { pull: 'up', isActiveLow: true }), output('lamp', 17)])
  assert.throws(() => board.set('door', 'on'), { code: 'PIN_NOT_OUTPUT' })
  assert.throws(() => board.simulate('lamp', 'on'), { code: 'GPIO_FAILED' })
  assert.deepEqual([board.isSimulatedInput('door'), board.isSimulatedInput('lamp')], [true, false])
  assert.deepEqual([board.isOutput('door'), board.isOutput('lamp')], [false, true])
  events.length = 0
  const edges: string[] = []
  board.listen({ onEdge: (pin, state, chain) => edges.push([pin.name, state, ...chain].join(' ')) })
  board.simulate('door', 'on', ['rule'])
  board.simulate('door', 'on')
  board.simulate('door', 'toggle')
  assert.deepEqual(edges, ['door on rule', 'door off'])
  assert.deepEqual(events, ['door on rule', 'door off'])
})

test('all problems of a start are told at once, each with its place, and nothing stays held', async (t) => {
  const { board, events } = await simulatedBoard(t)
  const vent = output('vent', 18, { initial: 'on' })
  const pins = [vent, output('lamp', 99), output('pump', 'GPOI17'), output('second', 18)]
  await assert.rejects(board.start(pins), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'GPIO_FAILED') // they have no code in common
    const [lamp, pump, second, ...more] = error.message.split('\n')
    assert.match(lamp ?? '', /^damselfly\.yaml:3:5: pin lamp: chip simulated .*no line GPIO99/)
    assert.match(pump ?? '', /pin pump: .*no line GPOI17; it has GPIO0 to GPIO27/)
    assert.match(second ?? '', /pin second: GPIO18 .* is pin vent already/)
    assert.deepEqual(more, [])
    return true
  })
  assert.deepEqual(events, ['vent on', 'vent off'])
})

test('without a chip the pins share one problem, with the code that it has', async (t) => {
  const folder = await temporaryFolder(t)
  const log = new KeptLog()
  const options = { choice: join(folder, 'gpiochip0'), dataDir: folder, log, counters: new Counters() }
  const board = new PinBoard(options)
  assert.deepEqual(await board.apply([]), []) // no pins: no chip is needed
  assert.equal(board.chip, undefined)
  const problems = await board.apply([output('lamp', 17), output('pump', 18)])
  assert.deepEqual(
    problems.map(({ pin, error }) => [pin.name, error.code]),
    [
      ['lamp', 'GPIO_NO_CHIP'],
      ['pump', 'GPIO_NO_CHIP'],
    ],
  )
  assert.equal(log.of('error').length, 1)
  assert.deepEqual(log.of('error')[0]?.['pins'], ['lamp', 'pump'])
  assert.throws(() => board.set('lamp', 'on'), {
    code: 'GPIO_FAILED',
    message: /lamp is not available: .*does not exist/,
  })
  await assert.rejects(board.start([output('lamp', 17), output('pump', 18)]), {
    code: 'GPIO_NO_CHIP',
    message: /^damselfly\.yaml:3:5: pins lamp, pump: [^\n]*$/,
  })
})

test('a reload leaves pins alone whose line is the same: state, way back and max_on', async (t) => {
  const { board, events, pass } = await simulatedBoard(t)
  const lamp = output('lamp', 17)
  const heater = output('heater', 18, { maxOnMs: 20_000 })
  await board.start([lamp, heater])
  board.set('lamp', 'on', { forMs: 10_000 })
  board.set('heater', 'on')
  pass(5_000)
  events.length = 0
  assert.deepEqual(await board.apply([{ ...heater }, { ...lamp, initial: 'on', onStop: 'on' }]), [])
  assert.deepEqual(events, [])
  pass(5_000)
  assert.equal(board.state('lamp'), 'off')
  pass(10_000)
  assert.equal(board.state('heater'), 'off')
  await board.close()
  assert.deepEqual(events.at(-1), 'lamp on') // the new on_stop
})

test('a new max_on counts from when the pin went on; none lets it stay', async (t) => {
  const { board, pass } = await simulatedBoard(t)
  const heater = output('heater', 17, { maxOnMs: 10_000 })
  const fan = output('fan', 18, { maxOnMs: 10_000 })
  const iron = output('iron', 19)
  await board.start([heater, fan, iron])
  for (const name of ['heater', 'fan', 'iron']) board.set(name, 'on')
  pass(9_000)
  await board.apply([{ ...heater, maxOnMs: 12_000 }, output('fan', 18), { ...iron, maxOnMs: 5_000 }])
  pass(0)
  assert.equal(board.state('iron'), 'off') // has been on for longer than it may
  pass(2_999)
  assert.equal(board.state('heater'), 'on')
  pass(1)
  assert.equal(board.state('heater'), 'off')
  pass(60_000)
  assert.equal(board.state('fan'), 'on')
})

test('a reload takes changed pins anew, drives removed ones to on_stop, and adds new ones', async (t) => {
  const { board, events } = await simulatedBoard(t)
  const door = input('door', 27, { pull: 'up' })
  await board.start([output('lamp', 17), output('vent', 18, { onStop: 'on' }), output('pump', 19), door])
  board.set('lamp', 'on')
  board.set('pump', 'on')
  events.length = 0
  const pump = output('pump', 18, { initial: 'on', onStop: 'on' }) // on the line that vent had
  assert.deepEqual(
    await board.apply([output('lamp', 17), pump, { ...door, pull: 'down' }, input('bell', 4)]),
    [],
  )
  assert.deepEqual(events, ['vent on', 'pump off', 'pump on', 'door off', 'bell off', 'vent removed'])
  assert.equal(board.state('lamp'), 'on')
  assert.throws(() => board.state('vent'), { code: 'PIN_UNKNOWN' })
  assert.deepEqual(board.pins.map((pin) => pin.name).sort(), ['bell', 'door', 'lamp', 'pump'])
})

test('an input that becomes an output, and the other way round, is taken anew', async (t) => {
  const { board, events } = await simulatedBoard(t)
  await board.start([output('a', 17), input('b', 18)])
  events.length = 0
  await board.apply([input('a', 17), output('b', 18)])
  assert.deepEqual(events, ['a off', 'b off'])
  assert.deepEqual([board.isOutput('a'), board.isOutput('b')], [false, true])
})

test('a pin that fails at a reload is told and logged once; the others and the next reload are well', async (t) => {
  const { board, log, events } = await simulatedBoard(t)
  await board.start([output('lamp', 17), output('pump', 18)])
  board.set('lamp', 'on')
  const [problem, ...more] = await board.apply([output('lamp', 17), output('pump', 99)])
  assert.deepEqual(more, [])
  assert.deepEqual([problem?.pin.name, problem?.error.code], ['pump', 'GPIO_NO_LINE'])
  assert.deepEqual(
    log.of('error').map(({ pins, code }) => [pins, code]),
    [[['pump'], 'GPIO_NO_LINE']],
  )
  assert.equal(board.state('lamp'), 'on')
  assert.equal(events.at(-1), 'pump removed')
  assert.throws(() => board.set('pump', 'on'), { code: 'GPIO_FAILED', message: /pump is not available/ })
  assert.deepEqual(await board.apply([output('lamp', 17), output('pump', 20)]), [])
  board.set('pump', 'on')
})

test('reloads and the end take their turn', async (t) => {
  const { board, events } = await simulatedBoard(t)
  await Promise.all([
    board.start([output('lamp', 17)]),
    board.apply([output('lamp', 18), input('door', 17)]),
    board.apply([output('lamp', 17)]),
    board.close(),
  ])
  assert.equal(events.at(-1), 'door removed')
  assert.deepEqual(board.pins, [])
})

test('a listener that throws is logged and harms neither the pin nor other listeners', async (t) => {
  const { board, log, events } = await simulatedBoard(t)
  await board.start([output('lamp', 17)])
  const end = board.listen({
    onState: () => {
      throw new Error('broken')
    },
  })
  board.listen({ onState: (pin, state) => events.push(`second ${pin} ${state}`) })
  board.set('lamp', 'on')
  assert.deepEqual(events.slice(-2), ['lamp on', 'second lamp on'])
  assert.equal(log.of('error').length, 2)
  end()
  board.set('lamp', 'off')
  assert.equal(log.of('error').length, 2)
})

test('the record of held outputs follows the board, and goes when there are none', async (t) => {
  const { board, dataDir } = await simulatedBoard(t)
  await board.start([output('lamp', 17, { isActiveLow: true }), input('door', 27)])
  assert.deepEqual(await readOutputsRecord(dataDir), {
    choice: 'simulated',
    chip: { path: 'simulated', label: 'simulated' },
    outputs: [{ pin: 'lamp', line: 'GPIO17', offset: 17, isActiveLow: true, onStop: 'off' }],
  })
  await board.apply([output('lamp', 'GPIO18', { onStop: 'on' }), output('pump', 99)])
  const record = await readOutputsRecord(dataDir)
  assert.deepEqual(record?.outputs, [
    { pin: 'lamp', line: 'GPIO18', offset: 18, isActiveLow: false, onStop: 'on' },
  ])
  await board.apply([input('door', 27)])
  assert.equal(await readOutputsRecord(dataDir), undefined)
})

test('a record that cannot be written is logged, and the pins work all the same', async (t) => {
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'file'), '')
  const log = new KeptLog()
  const dataDir = join(folder, 'file', 'data')
  await using board = new PinBoard({ choice: 'simulated', dataDir, log, counters: new Counters() })
  await board.start([output('lamp', 17)])
  assert.equal(log.of('error')[0]?.message, 'record of outputs not written; "damselfly safe" needs it')
  board.set('lamp', 'on')
})
