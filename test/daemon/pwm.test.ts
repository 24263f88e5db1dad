import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { runCommand, startDaemon } from '../support/daemon.js'
import { fakePi5 } from '../support/gpio-pwm.js'
import { until } from '../support/until.js'

const yaml = `pins:
  fan: { gpio: 18, pwm: true, frequency: 25kHz, min: 20, initial: 40, on_stop: 30 }
  arm: { gpio: 19, servo: true }
rules:
  - on: servo/angle
    do: { gpio: arm, set: "\${payload}" }
  - on: fan/boost
    do: { gpio: fan, set: on, for: 150ms }
`

test('from the message to the pulse: the daemon moves fan and servo by files, and safe stops them after a crash', async (t) => {
  const fake = await fakePi5(t, { exported: [2, 3] })
  // no GPIO chip is there, and none is asked for
  const env = `PWM_DIR=${fake.dir}\nGPIO_CHIP=/dev/gpiochip99`
  const daemon = await startDaemon(t, { yaml, env })
  const channel = (number: number): string[] =>
    fake.log.filter((write) => write.includes(`pwm${number}/`)).map((write) => write.replace(/.*\//, ''))
  await until('both enabled', () => channel(2).length >= 3 && channel(3).length >= 2)
  assert.deepEqual(channel(2), ['period 40000', 'duty_cycle 16000', 'enable 1'])
  assert.deepEqual(channel(3), ['period 20000000', 'enable 1'])

  const client = await daemon.connect()
  const states = new Map<string, string>()
  client.on('message', (topic, payload) => states.set(topic, payload.toString()))
  await client.subscribeAsync('damselfly/test/pins/+')
  await client.publishAsync('servo/angle', '90', { qos: 1 })
  await client.publishAsync('damselfly/test/pins/fan/set', '"75"', { qos: 1 })
  await until('their states', () => states.get('damselfly/test/pins/arm') === '90')
  await until('their states', () => states.get('damselfly/test/pins/fan') === '75')
  assert.equal(fake.read('pwmchip2/pwm3', 'duty_cycle'), '1500000')
  assert.equal(fake.read('pwmchip2/pwm2', 'duty_cycle'), '30000')

  await client.publishAsync('fan/boost', '', { qos: 1 })
  await until('full', () => states.get('damselfly/test/pins/fan') === '100')
  await until('what was before', () => states.get('damselfly/test/pins/fan') === '75')

  const maps = readFileSync(`/proc/${daemon.pid}/maps`, 'utf8')
  assert.equal(maps.includes('koffi'), false)

  daemon.kill('SIGKILL')
  await until('its end', () => daemon.hasExited)
  assert.equal(fake.read('pwmchip2/pwm2', 'duty_cycle'), '30000')
  const safe = await runCommand(daemon.folder, ['safe'])
  assert.match(safe.stdout, /2 of 2 outputs driven to on_stop/, safe.stderr)
  assert.equal(fake.read('pwmchip2/pwm2', 'duty_cycle'), '12000')
  assert.equal(fake.read('pwmchip2/pwm3', 'duty_cycle'), '0')
})
