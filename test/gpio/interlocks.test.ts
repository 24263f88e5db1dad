import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, type TestContext, test } from 'node:test'
import { DamselflyError } from '#src/core/errors.js'
import type { OutputPin, PinCommand } from '#src/core/pin.js'
import { interlocksOf } from '#src/gpio/interlocks.js'
import type { SimulatedChip } from '#src/gpio/simulated-chip.js'
import { output, simulatedBoard } from '../support/gpio-kit.js'
import { pwm } from '../support/gpio-pwm.js'

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
afterEach(() => mock.timers.reset())

const up = output('up', 5, { interlock: { pins: ['down'], deadTimeMs: 500 } })
const down = output('down', 6)

/** A board whose dead times from the start have passed. */
async function shutter(t: TestContext, pins: readonly OutputPin[] = [up, down]) {
  const world = await simulatedBoard(t)
  await world.board.start(pins)
  world.pass(10_000)
  world.events.length = 0
  const states = (): string => pins.map(({ name }) => world.board.state(name)).join(' ')
  return { ...world, states }
}

test('one that names the other is enough, the longer dead time counts, and partners of partners are free', () => {
  const pins = [
    output('a', 1, { interlock: { pins: ['b'], deadTimeMs: 100 } }),
    output('b', 2, { interlock: { pins: ['a', 'c'], deadTimeMs: 300 } }),
    output('c', 3),
  ]
  const pairs = [...interlocksOf(pins)].map(([name, others]) => [name, Object.fromEntries(others)])
  assert.deepEqual(Object.fromEntries(pairs), { a: { b: 300 }, b: { a: 300, c: 300 }, c: { b: 300 } })
})

test('on sends the other off at once, and goes on when that has been off for the dead time', async (t) => {
  const { board, events, states, pass } = await shutter(t)
  board.set('down', 'on')
  board.set('up', 'on', { chain: ['rule'] })
  assert.equal(states(), 'off off')
  pass(499)
  assert.equal(states(), 'off off')
  pass(1)
  assert.equal(states(), 'on off')
  assert.deepEqual(events, ['down on', 'down off rule', 'up on rule'])
})

test('when the other has been off for long enough there is nothing to wait for', async (t) => {
  const { board, states, pass } = await shutter(t)
  board.set('up', 'on')
  assert.equal(states(), 'on off')
  board.set('up', 'off')
  pass(499)
  board.set('down', 'on')
  assert.equal(states(), 'off off')
  pass(1)
  assert.equal(states(), 'off on')
})

const offs: readonly [
  what: string,
  act: (set: (pin: string, command: PinCommand, forMs?: number) => void) => void,
][] = [
  ['a command', (set) => set('down', 'off')],
  ['its for', (set) => set('down', 'on', 100)],
  ['toggle', (set) => set('down', 'toggle')],
]
for (const [what, act] of offs)
  test(`the dead time holds after an off by ${what}`, async (t) => {
    const { board, states, pass } = await shutter(t)
    board.set('down', 'on')
    act((pin, command, forMs) => board.set(pin, command, forMs === undefined ? {} : { forMs }))
    pass(100)
    assert.equal(states(), 'off off')
    board.set('up', 'on')
    assert.equal(states(), 'off off')
    pass(500)
    assert.equal(states(), 'on off')
  })

test('the dead time holds after max_on, and after the start, when nobody knows what was before', async (t) => {
  const world = await simulatedBoard(t)
  await world.board.start([up, output('down', 6, { maxOnMs: 1_000 })])
  world.board.set('down', 'on')
  assert.equal(world.board.state('down'), 'off')
  world.pass(500)
  assert.equal(world.board.state('down'), 'on')
  world.pass(1_000)
  world.board.set('up', 'on')
  world.pass(499)
  assert.deepEqual([world.board.state('up'), world.board.state('down')], ['off', 'off'])
  world.pass(1)
  assert.equal(world.board.state('up'), 'on')
})

for (const [what, pin, command] of [
  ['off', 'up', 'off'],
  ['toggle, for it is on its way', 'up', 'toggle'],
  ['on for the other', 'down', 'on'],
] as const)
  test(`while it waits, it is given up by ${what}`, async (t) => {
    const { board, events, pass } = await shutter(t)
    board.set('down', 'on')
    board.set('up', 'on')
    pass(200)
    board.set(pin, command)
    pass(10_000)
    assert.equal(board.state('up'), 'off')
    assert.equal(events.includes('up on'), false)
  })

test('for counts from when it goes on, and a pulse that waits ends when it is given up', async (t) => {
  const { board, states, pass } = await shutter(t)
  board.set('down', 'on')
  board.set('up', 'on', { forMs: 1_000 })
  pass(500)
  pass(999)
  assert.equal(states(), 'on off')
  pass(1)
  assert.equal(states(), 'off off')
  pass(500)
  board.set('down', 'on')
  const pulse = board.pulse('up', 300)
  board.set('down', 'on')
  await pulse
  assert.equal(states(), 'off on')
})

test('what would bring the other on again is given up, too', async (t) => {
  const { board, states, pass } = await shutter(t)
  board.set('down', 'on')
  board.set('down', 'off', { forMs: 5_000 })
  board.set('up', 'on')
  pass(10_000)
  assert.equal(states(), 'on off')
})

test('a way back to on takes the other off, as any on does', async (t) => {
  const { board, states, pass } = await shutter(t)
  board.set('down', 'on')
  board.set('up', 'off', { forMs: 1_000 })
  pass(1_000)
  assert.equal(states(), 'off off')
  pass(500)
  assert.equal(states(), 'on off')
})

test('blink counts as on, its dark phases included', async (t) => {
  const { board, states, pass } = await shutter(t)
  board.set('down', 'blink', { blinkMs: 100 })
  pass(150)
  board.set('up', 'blink', { blinkMs: 100 })
  assert.equal(states(), 'off off')
  pass(500)
  assert.equal(states(), 'blink off')
})

test('a dead time of 0 lets it go on at once', async (t) => {
  const { board, events } = await shutter(t, [
    output('up', 5, { interlock: { pins: ['down'], deadTimeMs: 0 } }),
    down,
  ])
  board.set('down', 'on')
  board.set('up', 'on')
  assert.deepEqual(events, ['down on', 'down off', 'up on'])
})

test('when the other cannot be switched off, this one does not go on', async (t) => {
  const { board, states, pass } = await shutter(t)
  board.set('down', 'on')
  const chip = board.chip as SimulatedChip
  chip.onDrive = () => {
    throw new DamselflyError('GPIO_FAILED', 'cannot write: EIO')
  }
  assert.throws(() => board.set('up', 'on'), { code: 'GPIO_FAILED' })
  chip.onDrive = undefined
  pass(10_000)
  assert.equal(states(), 'off on')
})

test('when the other is not available, this one does not go on', async (t) => {
  const { board, states } = await shutter(t)
  await board.apply([up, output('down', 99)])
  assert.throws(() => board.set('up', 'on'), {
    code: 'GPIO_FAILED',
    message: /pin up stays off: down, which must be off while it is on, is not available/,
  })
  await board.apply([up, down])
  board.set('up', 'off')
  assert.equal(states(), 'off off')
})

test('initial: on waits for the dead time, for what was before nobody knows', async (t) => {
  const { board, events, pass } = await simulatedBoard(t)
  await board.start([{ ...up, initial: 'on' }, down])
  assert.deepEqual(events, ['up off', 'down off'])
  pass(500)
  assert.deepEqual(events, ['up off', 'down off', 'up on'])
})

test('a reload that locks two together that are on leaves the first on', async (t) => {
  const { board, states, pass } = await shutter(t, [output('up', 5), down])
  board.set('up', 'on')
  board.set('down', 'on')
  await board.apply([up, down])
  assert.equal(states(), 'on off')
  await board.apply([output('up', 5), down])
  board.set('down', 'on')
  pass(0)
  assert.equal(states(), 'on on')
})

test('a listener that switches the other on again hears everything in order, and the last command counts', async (t) => {
  const { board, events, states, pass } = await shutter(t)
  board.set('down', 'on')
  pass(10_000)
  let isDue = true
  board.listen({
    onState: (pin, state) => {
      if (pin !== 'down' || state !== 'off' || !isDue) return
      isDue = false
      board.set('down', 'on')
    },
  })
  events.length = 0
  isDue = true
  board.set('up', 'on')
  pass(10_000)
  assert.equal(states(), 'off on')
  assert.deepEqual(events, ['down off', 'down on'])
})

test('PWM pins can be locked, too', async (t) => {
  const { board, pass } = await simulatedBoard(t)
  const lock = { pins: ['left'], deadTimeMs: 200 }
  await board.start([pwm('left', 12, { initial: 30 }), pwm('right', 13, { interlock: lock })])
  assert.equal(board.state('left'), 'off')
  pass(200)
  assert.equal(board.state('left'), 30)
  board.set('right', 60)
  assert.deepEqual([board.state('left'), board.state('right')], ['off', 'off'])
  pass(200)
  assert.deepEqual([board.state('left'), board.state('right')], ['off', 60])
})

/** Numbers that look random and are the same each time (mulberry32). */
function dice(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides
  }
}

for (const seed of [1, 2, 3])
  test(`1,000 random commands never drive two locked pins together, and keep the dead time (${seed})`, async (t) => {
    const world = await simulatedBoard(t)
    const { board } = world
    const deadTimeMs = 50
    const pins = [
      output('a', 5, { interlock: { pins: ['b'], deadTimeMs }, maxOnMs: 400 }),
      output('b', 6, { interlock: { pins: ['c'], deadTimeMs } }),
      output('c', 7, { isActiveLow: true }),
    ]
    await board.start(pins)
    const isOn = new Map<number, boolean>()
    const offAt = new Map<number, number>()
    let nowMs = 0
    let switches = 0
    const chip = board.chip as SimulatedChip
    chip.onDrive = (offset, isHigh) => {
      const on = isHigh !== (offset === 7)
      if (on && isOn.get(offset) !== true) {
        switches++
        for (const partner of offset === 6 ? [5, 7] : [6]) {
          assert.notEqual(isOn.get(partner), true, `${offset} and ${partner} on together at ${nowMs}`)
          assert.ok(nowMs - (offAt.get(partner) ?? 0) >= deadTimeMs, `dead time of ${offset} at ${nowMs}`)
        }
      }
      if (!on && isOn.get(offset) === true) offAt.set(offset, nowMs)
      isOn.set(offset, on)
    }
    const roll = dice(seed)
    for (let count = 0; count < 1_000; count++) {
      const pin = ['a', 'b', 'c'][roll(3)] as string
      const command = (['on', 'on', 'off', 'toggle', 'blink'] as const)[roll(5)] as PinCommand
      board.set(pin, command, { blinkMs: 20 + roll(30), ...(roll(2) === 0 ? { forMs: roll(200) } : {}) })
      for (let ms = roll(120); ms > 0; ms--) {
        nowMs++
        world.pass(1)
      }
    }
    assert.ok(switches > 300, `${switches} switches`)
  })
