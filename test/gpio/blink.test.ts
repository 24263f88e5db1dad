import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, type TestContext, test } from 'node:test'
import { limits } from '#src/core/limits.js'
import type { SimulatedChip } from '#src/gpio/simulated-chip.js'
import { output, simulatedBoard } from '../support/gpio-kit.js'

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
afterEach(() => mock.timers.reset())

async function lamp(t: TestContext, more: Parameters<typeof output>[2] = {}) {
  const world = await simulatedBoard(t)
  await world.board.start([output('lamp', 17, more)])
  world.events.length = 0
  const chip = world.board.chip as SimulatedChip
  /** The levels at each of the next moments, 100 ms apart. */
  const levels = (count: number): string => {
    let text = ''
    for (let moment = 0; moment < count; moment++) {
      text += chip.level(17) ? '1' : '0'
      world.pass(100)
    }
    return text
  }
  return { ...world, levels }
}

test('blink begins on, changes at each phase, and is one state', async (t) => {
  const { board, events, levels, log } = await lamp(t)
  board.set('lamp', 'blink', { blinkMs: 200, chain: ['alarm'] })
  assert.equal(board.state('lamp'), 'blink')
  assert.equal(levels(8), '11001100')
  assert.deepEqual(events, ['lamp blink alarm'])
  assert.equal(log.of('info').filter(({ message }) => message === 'pin switched').length, 1)
})

test('a phase is half a second unless told', async (t) => {
  const { board, levels } = await lamp(t)
  board.set('lamp', 'blink')
  assert.equal(levels(12), '111110000011')
})

test('blink for a time ends off, whatever the phase', async (t) => {
  const { board, events, levels } = await lamp(t, { initial: 'on' })
  board.set('lamp', 'blink', { blinkMs: 200, forMs: 500 })
  assert.equal(levels(8), '11001000')
  assert.deepEqual(events, ['lamp blink', 'lamp off'])
})

for (const [command, state] of [
  ['on', 'on'],
  ['off', 'off'],
  ['toggle', 'off'],
  [1, 'on'],
] as const)
  test(`${command} takes over from blink at once, and it stays ${state}`, async (t) => {
    const { board, levels } = await lamp(t)
    board.set('lamp', 'blink', { blinkMs: 100, forMs: 250 })
    levels(2)
    board.set('lamp', command)
    assert.equal(board.state('lamp'), state)
    assert.equal(levels(5), state === 'on' ? '11111' : '00000')
  })

test('blink again keeps the rhythm; another phase begins anew', async (t) => {
  const { board, levels } = await lamp(t)
  board.set('lamp', 'blink', { blinkMs: 200 })
  let seen = ''
  for (let times = 0; times < 4; times++) {
    seen += levels(1)
    board.set('lamp', 'blink', { blinkMs: 200, forMs: 1_000 })
  }
  assert.equal(seen + levels(2), '110011')
  board.set('lamp', 'blink', { blinkMs: 300 })
  assert.equal(levels(6), '111000')
})

test('max_on counts from the beginning of blink, dark phases included', async (t) => {
  const { board, levels, log } = await lamp(t, { maxOnMs: 500 })
  board.set('lamp', 'blink', { blinkMs: 100 })
  assert.equal(levels(8), '10101000')
  assert.equal(board.state('lamp'), 'off')
  assert.equal(log.of('warn').at(-1)?.message, 'pin switched off by max_on')
})

test('a close ends blink at on_stop', async (t) => {
  const { board, events, pass } = await lamp(t)
  board.set('lamp', 'blink', { blinkMs: 100 })
  await board.close()
  pass(1_000)
  assert.deepEqual(events, ['lamp blink', 'lamp off'])
})

test('a phase may be as short as the limit; a shorter one is refused and changes nothing', async (t) => {
  const { board } = await lamp(t)
  for (const blinkMs of [limits.blinkMsMin - 1, Number.NaN, -1])
    assert.throws(() => board.set('lamp', 'blink', { blinkMs }), {
      code: 'DURATION_INVALID',
      message: /pin lamp: blink .* expected 20 ms to 24d/,
    })
  assert.equal(board.state('lamp'), 'off')
  board.set('lamp', 'blink', { blinkMs: limits.blinkMsMin })
  assert.equal(board.state('lamp'), 'blink')
})

test('what a switched pin does not understand is refused with what it does', async (t) => {
  const { board } = await lamp(t)
  for (const command of [40, 0.5, Number.NaN, 'dim' as never, true as never, undefined as never])
    assert.throws(() => board.set('lamp', command), {
      code: 'PIN_COMMAND_INVALID',
      message: /pin lamp is a switched pin: it knows on, off, toggle or blink, not /,
    })
})
