import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { mock, type TestContext, test } from 'node:test'
import { Counters } from '#src/core/counters.js'
import type { PwmPin } from '#src/core/pin.js'
import { PinBoard } from '#src/gpio/board.js'
import { pulseNs, withinLimits } from '#src/gpio/pwm-scale.js'
import { readOutputsRecord } from '#src/gpio/record.js'
import { KeptLog, simulatedBoard, temporaryFolder } from '../support/gpio-kit.js'
import { fakePi5, pwm, servo } from '../support/gpio-pwm.js'

const fan = pwm('fan', 18, { min: 20, max: 90 })
const arm = servo('arm', 19, { min: 10, max: 170 })

const scaled: readonly [pin: PwmPin, command: number, state: 'off' | number, ns: number][] = [
  [fan, 40, 40, 16_000],
  [fan, 20, 20, 8_000],
  [fan, 19.9, 20, 8_000],
  [fan, 90, 90, 36_000],
  [fan, 100, 90, 36_000],
  [fan, 0, 'off', 0],
  [fan, -5, 'off', 0],
  [pwm('led', 12), 0.001, 0.001, 0],
  [pwm('led', 12), 33.3333, 33.3333, 13_333],
  [pwm('led', 12), 1e9, 100, 40_000],
  [arm, 90, 90, 1_500_000],
  [arm, 0, 10, 611_111],
  [arm, -1, 10, 611_111],
  [arm, 180, 170, 2_388_889],
  [servo('arm', 19), 0, 0, 500_000],
  [servo('arm', 19), 180, 180, 2_500_000],
]

for (const [pin, command, state, ns] of scaled)
  test(`${command} for ${pin.scale.kind} ${pin.min} to ${pin.max} is ${state}, a pulse of ${ns} ns`, () => {
    const value = withinLimits(pin, command)
    assert.equal(value, state)
    assert.equal(pulseNs(pin, value), ns)
  })

test('a servo may turn the other way round', () => {
  const scale = { kind: 'angle', minPulseNs: 2_000_000, maxPulseNs: 1_000_000, rangeDegrees: 90 } as const
  assert.equal(pulseNs(servo('arm', 19, { scale }), 45), 1_500_000)
})

/** A board on files as of a Pi 5, and what is written to GPIO18, which is channel 2. */
async function pi(t: TestContext, pins: readonly PwmPin[]) {
  const fake = await fakePi5(t, { exported: [0, 1, 2, 3] })
  const dataDir = await temporaryFolder(t)
  const log = new KeptLog()
  // a GPIO chip that is not there, and is not needed
  const options = { choice: '/dev/gpiochip99', pwmDir: fake.dir, dataDir, log, counters: new Counters() }
  const board = new PinBoard(options)
  t.after(() => board.close())
  await board.start(pins)
  const read = (attribute: string, channel = 2): string => fake.read(`pwmchip2/pwm${channel}`, attribute)
  return { board, fake, log, dataDir, read }
}

test('a PWM pin has the pulse of initial when it is enabled, and needs no GPIO chip', async (t) => {
  const { board, read, log } = await pi(t, [{ ...fan, initial: 40 }])
  assert.deepEqual(
    ['period', 'duty_cycle', 'polarity', 'enable'].map((name) => read(name)),
    ['40000', '16000', 'normal', '1'],
  )
  assert.equal(board.state('fan'), 40)
  assert.deepEqual([board.chip, board.isSimulated, log.of('warn')], [undefined, false, []])
})

test('numbers, on, off and toggle change the pulse; off is none, and the channel stays enabled', async (t) => {
  const { board, read } = await pi(t, [fan])
  const after = (command: number | 'on' | 'off' | 'toggle'): [unknown, string, string] => {
    board.set('fan', command)
    return [board.state('fan'), read('duty_cycle'), read('enable')]
  }
  assert.deepEqual(after(40), [40, '16000', '1'])
  assert.deepEqual(after('toggle'), ['off', '0', '1'])
  assert.deepEqual(after('toggle'), [90, '36000', '1'])
  assert.deepEqual(after(0), ['off', '0', '1'])
  assert.deepEqual(after('on'), [90, '36000', '1'])
  assert.deepEqual(after('off'), ['off', '0', '1'])
})

test('active low is the other polarity', async (t) => {
  const { read } = await pi(t, [{ ...fan, isActiveLow: true, initial: 25 }])
  assert.deepEqual([read('polarity'), read('duty_cycle'), read('enable')], ['inversed', '10000', '1'])
})

test('a servo moves to an angle; off lets go of it', async (t) => {
  const { board, read } = await pi(t, [{ ...arm, initial: 90 }])
  assert.deepEqual([read('period', 3), read('duty_cycle', 3)], ['20000000', '1500000'])
  board.set('arm', 'off')
  assert.equal(read('duty_cycle', 3), '0')
  board.set('arm', 0)
  assert.deepEqual([board.state('arm'), read('duty_cycle', 3)], [10, '611111'])
})

test('a number beyond the limits is kept within them, and one line says so', async (t) => {
  const { board, log } = await pi(t, [fan])
  for (const value of [100, 5, 1_000]) board.set('fan', value)
  board.set('fan', 0)
  assert.deepEqual(log.of('warn'), [
    {
      pin: 'fan',
      asked: 100,
      set: 90,
      min: 20,
      max: 90,
      level: 'warn',
      message: 'pin kept within its limits',
    },
  ])
})

test('what is no command is refused with what is, and changes nothing', async (t) => {
  const { board, read } = await pi(t, [{ ...fan, initial: 40 }, arm])
  for (const command of [Number.NaN, Number.POSITIVE_INFINITY, '40' as never, null as never])
    assert.throws(() => board.set('fan', command), {
      code: 'PIN_COMMAND_INVALID',
      message:
        /pin fan is a PWM pin: it knows on, off, toggle, blink or a number from 0 to 100, in percent, not /,
    })
  assert.throws(() => board.set('arm', 'blink'), {
    code: 'PIN_COMMAND_INVALID',
    message: /pin arm is a servo: it knows on, off, toggle or an angle from 10 to 170 degrees, not "blink"/,
  })
  assert.deepEqual([board.state('fan'), read('duty_cycle')], [40, '16000'])
})

test('a close drives on_stop and leaves the channel exported, for its pulses go on', async (t) => {
  const { board, fake, read } = await pi(t, [
    { ...fan, onStop: 30, initial: 90 },
    { ...arm, initial: 90 },
  ])
  await board.close()
  assert.deepEqual([read('duty_cycle'), read('enable')], ['12000', '1'])
  assert.deepEqual([read('duty_cycle', 3), read('enable', 3)], ['0', '1'])
  assert.equal(
    fake.log.some((write) => write.includes('unexport')),
    false,
  )
})

test('two pins on one channel are refused, and so is a channel that is not there, each with its place', async (t) => {
  const fake = await fakePi5(t, { exported: [2] })
  const dataDir = await temporaryFolder(t)
  const log = new KeptLog()
  const board = new PinBoard({ choice: 'auto', pwmDir: fake.dir, dataDir, log, counters: new Counters() })
  const pins = [fan, pwm('second', 5, { channel: 2 }), pwm('third', 4)]
  await assert.rejects(board.start(pins), (error: Error) => {
    assert.match(error.message, /^damselfly.yaml:3:5: pin third: GPIO4 has no PWM of its own/)
    assert.match(error.message, /pin second: channel 2 of 1f00098000.pwm is pin fan already/)
    return true
  })
})

test('a reload leaves a PWM pin alone whose pulses have the same form, and takes over its limits', async (t) => {
  const { board, read } = await pi(t, [fan])
  board.set('fan', 40)
  await board.apply([{ ...fan, max: 50, initial: 20, onStop: 20 }])
  assert.deepEqual([board.state('fan'), read('duty_cycle')], [40, '16000'])
  board.set('fan', 'on')
  assert.equal(board.state('fan'), 50)
  await board.apply([{ ...fan, periodNs: 80_000, initial: 50 }])
  assert.deepEqual([board.state('fan'), read('period'), read('duty_cycle')], [50, '80000', '40000'])
})

test('the record has the channels with the pulses of on_stop, by the device and not by its number', async (t) => {
  const { fake, dataDir } = await pi(t, [{ ...fan, onStop: 30 }])
  assert.deepEqual(await readOutputsRecord(dataDir), {
    choice: '/dev/gpiochip99',
    chip: { path: '', label: '' },
    outputs: [],
    pwm: {
      dir: fake.dir,
      channels: [
        {
          pin: 'fan',
          line: 'GPIO18',
          chip: '1f00098000.pwm',
          number: 2,
          periodNs: 40_000,
          pulseNs: 12_000,
          isInversed: false,
        },
      ],
    },
  })
})

test('a write that the kernel refuses is told, and changes nothing', async (t) => {
  const { board, fake } = await pi(t, [fan])
  await rm(fake.path('pwmchip2/pwm2', 'duty_cycle'))
  assert.throws(() => board.set('fan', 40), {
    code: 'GPIO_FAILED',
    message: /channel 2 .* cannot write 16000/,
  })
  assert.equal(board.state('fan'), 'off')
})

test('without PWM hardware its pins are simulated, and said to be', async (t) => {
  const { board, log, events } = await simulatedBoard(t)
  await board.start([{ ...fan, initial: 40 }, pwm('led', 4)])
  board.set('led', 5)
  assert.deepEqual(events, ['fan 40', 'led off', 'led 5'])
  assert.equal(board.isSimulated, true)
  assert.deepEqual(
    log.of('warn').map(({ message }) => message),
    ['PWM is simulated: no real pulse is made'],
  )
})

test('with mocked time', async (t) => {
  t.beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }))
  t.afterEach(() => mock.timers.reset())

  await t.test('for goes back to the value before, also when it is said twice', async (t) => {
    const { board, pass } = await simulatedBoard(t)
    await board.start([{ ...fan, initial: 30 }])
    board.set('fan', 80, { forMs: 1_000 })
    pass(500)
    board.set('fan', 60, { forMs: 1_000 })
    pass(999)
    assert.equal(board.state('fan'), 60)
    pass(1)
    assert.equal(board.state('fan'), 30)
    board.set('fan', 'off', { forMs: 1_000 })
    pass(1_000)
    assert.equal(board.state('fan'), 30)
  })

  await t.test('a later command cancels the way back', async (t) => {
    const { board, pass } = await simulatedBoard(t)
    await board.start([fan])
    board.set('fan', 80, { forMs: 1_000 })
    board.set('fan', 80)
    pass(10_000)
    assert.equal(board.state('fan'), 80)
  })

  await t.test('a pulse ends off, whatever was before', async (t) => {
    const { board, pass } = await simulatedBoard(t)
    await board.start([{ ...fan, initial: 30 }])
    const pulse = board.pulse('fan', 200)
    assert.equal(board.state('fan'), 90)
    pass(200)
    await pulse
    assert.equal(board.state('fan'), 'off')
  })

  await t.test('max_on counts from when it left off, and another number does not extend it', async (t) => {
    const { board, pass } = await simulatedBoard(t)
    await board.start([{ ...fan, maxOnMs: 10_000 }])
    board.set('fan', 30)
    pass(9_000)
    board.set('fan', 80)
    pass(999)
    assert.equal(board.state('fan'), 80)
    pass(1)
    assert.equal(board.state('fan'), 'off')
  })

  await t.test('blink goes between on and off', async (t) => {
    const { board, events, pass } = await simulatedBoard(t)
    await board.start([fan])
    board.set('fan', 'blink', { blinkMs: 100, forMs: 350 })
    pass(350)
    assert.deepEqual(events, ['fan off', 'fan blink', 'fan off'])
  })
})
