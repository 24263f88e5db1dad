import assert from 'node:assert/strict'
import { test } from 'node:test'
import { driveHeldPwm, drivePwmPins } from '#src/gpio/safe-pwm.js'
import { KeptLog } from '../support/gpio-kit.js'
import { fakePi5, pwm, servo } from '../support/gpio-pwm.js'

const running = { period: '40000', duty_cycle: '30000', polarity: 'normal', enable: '1' }

test('configured PWM pins get the pulses of their on_stop; one that cannot be had is told', async (t) => {
  const fake = await fakePi5(t)
  await fake.addChannel('pwmchip2', 2, running)
  await fake.addChannel('pwmchip2', 3, { ...running, period: '20000000', duty_cycle: '2500000' })
  const log = new KeptLog()
  const pins = [pwm('fan', 18, { onStop: 30, isActiveLow: true }), servo('arm', 19), pwm('none', 4)]
  const report = await drivePwmPins(pins, { choice: 'simulated', pwmDir: fake.dir, log })
  assert.deepEqual([report.isSimulated, [...report.driven].sort()], [false, ['arm', 'fan']])
  assert.match(report.failed[0]?.reason ?? '', /GPIO4 has no PWM of its own/)
  const fan = ['duty_cycle', 'polarity', 'enable'].map((name) => fake.read('pwmchip2/pwm2', name))
  assert.deepEqual(fan, ['12000', 'inversed', '1'])
  assert.equal(fake.read('pwmchip2/pwm3', 'duty_cycle'), '0')
  assert.deepEqual(
    log.of('error').map(({ pin }) => pin),
    ['none'],
  )
})

test('a channel of the record is found by its device, and a line plays no part', async (t) => {
  const fake = await fakePi5(t)
  await fake.addChannel('pwmchip2', 1, running)
  const held = { pin: 'fan', line: 'ID_SDA', chip: '1f00098000.pwm', number: 1 }
  const form = { periodNs: 40_000, pulseNs: 4_000, isInversed: false }
  const record = { dir: fake.dir, channels: [{ ...held, ...form }] }
  const report = await driveHeldPwm(record, new KeptLog())
  assert.deepEqual([report.driven, report.failed], [['fan'], []])
  assert.equal(fake.read('pwmchip2/pwm1', 'duty_cycle'), '4000')
})

test('simulated PWM says that it is', async () => {
  const log = new KeptLog()
  const expected = { isSimulated: true, driven: ['fan'], failed: [] }
  assert.deepEqual(
    await drivePwmPins([pwm('fan', 18, { onStop: 30 })], { choice: 'simulated', log }),
    expected,
  )
  const form = { periodNs: 40_000, pulseNs: 12_000, isInversed: false }
  const channels = [{ pin: 'fan', line: 'GPIO18', chip: 'simulated PWM of GPIO18', number: 0, ...form }]
  assert.deepEqual(await driveHeldPwm({ dir: 'simulated', channels }, log), expected)
})
