import assert from 'node:assert/strict'
import { afterEach, beforeEach, mock, test } from 'node:test'
import { DamselflyError } from '#src/core/errors.js'
import { switched } from '#src/gpio/held-output.js'
import { Output, type PinChange } from '#src/gpio/output.js'
import { KeptLog, output } from '../support/gpio-kit.js'

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
afterEach(() => mock.timers.reset())

/** An output on a line that can be made to refuse. */
function world(more: Parameters<typeof output>[2] = {}) {
  const clock = { nowMs: 0 }
  const line = {
    isBroken: false,
    level: false,
    isReleased: false,
    write(value: boolean): void {
      if (this.isBroken) throw new DamselflyError('GPIO_FAILED', 'cannot write: EIO')
      this.level = value
    },
    release(): void {
      this.isReleased = true
    },
  }
  const log = new KeptLog()
  const pin = output('heater', 17, more)
  const states: string[] = []
  const it = new Output({
    pin,
    actuator: switched(line),
    initial: pin.initial,
    log,
    onChanges: (changes) => states.push(...changes.map(({ state }) => String(state))),
    nowMs: () => clock.nowMs,
    partners: () => [],
  })
  it.start()
  const pass = (ms: number): void => {
    clock.nowMs += ms
    mock.timers.tick(ms)
  }
  return { it, line, log, states, pass }
}

test('a command that the kernel refuses changes nothing: the way back is still to come', () => {
  const { it, line, states, pass } = world()
  it.command('on', { forMs: 1_000 })
  line.isBroken = true
  assert.throws(() => it.command('off'), { code: 'GPIO_FAILED' })
  assert.equal(it.state, 'on')
  line.isBroken = false
  pass(1_000)
  assert.deepEqual([line.level, states], [false, ['on', 'off']])
})

test('a way back that the kernel refuses is tried each second until it succeeds', () => {
  const { it, line, log, pass } = world()
  let settled = 0
  it.command('on', { forMs: 1_000, onSettled: () => settled++ })
  line.isBroken = true
  pass(1_000)
  pass(1_000)
  assert.deepEqual([line.level, settled, log.of('error').length], [true, 0, 1])
  line.isBroken = false
  pass(999)
  assert.equal(line.level, true)
  pass(1)
  assert.deepEqual([line.level, settled], [false, 1])
})

test('a command ends the retries', () => {
  const { it, line, pass } = world()
  it.command('on', { forMs: 1_000 })
  line.isBroken = true
  pass(1_000)
  line.isBroken = false
  it.command('on')
  pass(10_000)
  assert.equal(line.level, true)
})

test('max_on that the kernel refuses is tried each second until it succeeds', () => {
  const { it, line, log, pass } = world({ maxOnMs: 5_000 })
  it.command('on')
  line.isBroken = true
  pass(5_000)
  assert.equal(log.of('error')[0]?.message, 'pin not switched off by max_on')
  line.isBroken = false
  pass(1_000)
  assert.deepEqual([line.level, it.state], [false, 'off'])
})

test('a stop gives the line back even if it cannot be driven, and ends the timers', () => {
  const { it, line, log, states, pass } = world({ maxOnMs: 5_000 })
  let settled = 0
  it.command('on', { forMs: 1_000, onSettled: () => settled++ })
  line.isBroken = true
  it.stop()
  assert.deepEqual([line.isReleased, settled], [true, 1])
  assert.equal(log.of('error')[0]?.message, 'pin not driven to on_stop')
  line.isBroken = false
  pass(10_000)
  assert.deepEqual(states, ['on'])
})

test('a listener may command the pin again', () => {
  const log = new KeptLog()
  const line = { write: () => {}, release: () => {} }
  const pin = output('lamp', 1)
  const onChanges = ([change]: readonly PinChange[]): void => {
    if (change?.state === 'on') it.command('on', { forMs: 500 })
  }
  const parts = { pin, actuator: switched(line), initial: pin.initial, log, onChanges }
  const it = new Output({ ...parts, nowMs: () => 0, partners: () => [] })
  it.command('on', { forMs: 5_000 })
  mock.timers.tick(500)
  assert.equal(it.state, 'off')
})
