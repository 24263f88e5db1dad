import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, chown, mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { PulseForm } from '#src/gpio/pwm.js'
import { type ChannelState, type PwmWrite, SysfsPwm, writesTo } from '#src/gpio/sysfs-pwm.js'
import { temporaryFolder } from '../support/gpio-kit.js'
import { FakePwm, fakePi5 } from '../support/gpio-pwm.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const fan: PulseForm = { periodNs: 40_000, pulseNs: 16_000, isInversed: false }
const fresh: ChannelState = { periodNs: 0, pulseNs: 0, isInversed: false, isEnabled: false }

const sequences: readonly [what: string, form: PulseForm, now: ChannelState, writes: string][] = [
  ['a fresh channel', fan, fresh, 'period 40000, duty_cycle 16000, enable 1'],
  ['a fresh channel without pulses', { ...fan, pulseNs: 0 }, fresh, 'period 40000, enable 1'],
  [
    'a fresh one, inversed: the polarity while it is disabled, but with a period',
    { ...fan, isInversed: true },
    fresh,
    'period 40000, duty_cycle 16000, polarity inversed, enable 1',
  ],
  ['one left by a crash', { ...fan, pulseNs: 0 }, { ...fan, isEnabled: true }, 'duty_cycle 0'],
  ['one that is right already', fan, { ...fan, isEnabled: true }, ''],
  [
    'a longer period: the period first, without a pause',
    { ...fan, periodNs: 20_000_000, pulseNs: 1_500_000 },
    { ...fan, isEnabled: true },
    'period 20000000, duty_cycle 1500000',
  ],
  [
    'a shorter period: the pulse first',
    fan,
    { periodNs: 20_000_000, pulseNs: 1_500_000, isInversed: false, isEnabled: true },
    'duty_cycle 16000, period 40000',
  ],
  [
    'another polarity: disabled in between',
    { ...fan, isInversed: true },
    { ...fan, isEnabled: true },
    'enable 0, polarity inversed, enable 1',
  ],
]

for (const [what, form, now, expected] of sequences)
  test(`the writes for ${what}`, () => {
    assert.equal(
      writesTo(form, now)
        .map((write) => write.join(' '))
        .join(', '),
      expected,
    )
  })

/** What the kernel makes of writes (`pwm/core.c`, `__pwm_apply`); throws where it would refuse. */
function kernel(now: ChannelState, writes: readonly PwmWrite[]): ChannelState {
  let state = now
  for (const [attribute, value] of writes) {
    if (attribute === 'period') state = { ...state, periodNs: Number(value) }
    if (attribute === 'duty_cycle') state = { ...state, pulseNs: Number(value) }
    if (attribute === 'enable') state = { ...state, isEnabled: value === '1' }
    if (attribute === 'polarity') {
      assert.equal(state.isEnabled, false, 'EBUSY: polarity of an enabled channel')
      state = { ...state, isInversed: value === 'inversed' }
    }
    assert.ok(state.periodNs > 0 && state.pulseNs <= state.periodNs, `EINVAL: ${attribute} ${value}`)
  }
  return state
}

test('whatever a channel did, the kernel takes every write, and no pulse is longer than before or after', () => {
  const forms = [40_000, 1_000_000, 20_000_000].flatMap((periodNs) =>
    [0, 0.5, 1].flatMap((part) =>
      [false, true].map((isInversed) => ({ periodNs, pulseNs: periodNs * part, isInversed })),
    ),
  )
  const states = [
    fresh,
    ...forms.flatMap((form) => [true, false].map((isEnabled) => ({ ...form, isEnabled }))),
  ]
  for (const form of forms)
    for (const now of states) {
      const writes = writesTo(form, now)
      assert.deepEqual(kernel(now, writes), { ...form, isEnabled: true })
      const share = ({ pulseNs, periodNs }: PulseForm): number => pulseNs / (periodNs || 1)
      const most = Math.max(share(form), share(now))
      for (let count = 1; count <= writes.length; count++)
        assert.ok(share(kernel(now, writes.slice(0, count))) <= most)
    }
})

test('a channel is exported on the chip of its device, whatever the number, and gets its writes in order', async (t) => {
  const fake = await fakePi5(t)
  const channel = await new SysfsPwm(fake.dir).prepare({ line: 18 })
  assert.deepEqual([channel.chip, channel.number], ['1f00098000.pwm', 2])
  channel.start(fan)
  const expected = ['export 2', 'pwm2/period 40000', 'pwm2/duty_cycle 16000', 'pwm2/enable 1']
  await until('the writes', () => fake.log.length >= expected.length)
  channel.setPulse(0)
  await until('one more', () => fake.log.length > expected.length)
  assert.deepEqual(
    fake.log,
    [...expected, 'pwm2/duty_cycle 0'].map((write) => `pwmchip2/${write}`),
  )
})

test('a channel that is exported already, as after a crash, is taken over', async (t) => {
  const fake = await fakePi5(t, { exported: [3] })
  const channel = await new SysfsPwm(fake.dir).prepare({ line: 'GPIO19' })
  channel.start(fan)
  await until('enabled', () => fake.log.at(-1) === 'pwmchip2/pwm3/enable 1')
  assert.equal(
    fake.log.some((write) => write.includes('export')),
    false,
  )
})

const choices: readonly [line: number | string, more: object, chip: string, channel: number][] = [
  [12, {}, '1f00098000.pwm', 0],
  [13, {}, '1f00098000.pwm', 1],
  ['GPIO18', {}, '1f00098000.pwm', 2],
  [19, {}, '1f00098000.pwm', 3],
  [23, {}, 'pwm_pio@17', 0],
  [17, {}, 'pwm_gpio@11', 0],
  [5, { channel: 1 }, '1f00098000.pwm', 1],
  [5, { channel: 3, pwmChip: '1f0009c000.pwm' }, '1f0009c000.pwm', 3],
  [18, { pwmChip: 'pwm_pio@17' }, 'pwm_pio@17', 0],
]

for (const [line, more, chip, number] of choices)
  test(`line ${line} ${JSON.stringify(more)} is channel ${number} of ${chip}`, async (t) => {
    const fake = await fakePi5(t, { exported: [0, 1, 2, 3] })
    await fake.addChannel('pwmchip0', 3)
    await fake.addChip(4, { device: 'pwm_pio@17', channels: 1, exported: [0] })
    await fake.addChip(5, { device: 'pwm_gpio@11', channels: 1, exported: [0] })
    const channel = await new SysfsPwm(fake.dir).prepare({ line, ...more })
    assert.deepEqual([channel.chip, channel.number], [chip, number])
  })

test('on a Pi 4 GPIO12 and 18 share a channel, as do 13 and 19', async (t) => {
  const dir = await temporaryFolder(t)
  const fake = new FakePwm(join(dir, 'pwm'))
  t.after(() => fake.close())
  await mkdir(fake.dir)
  await fake.addChip(0, { device: 'fe20c000.pwm', channels: 2, exported: [0, 1] })
  const numbers = [12, 13, 18, 19].map(
    async (line) => (await new SysfsPwm(fake.dir).prepare({ line })).number,
  )
  assert.deepEqual(await Promise.all(numbers), [0, 1, 0, 1])
})

const refusals: readonly [what: string, choice: { line: number | string }, code: string, message: RegExp][] =
  [
    [
      'a line without PWM',
      { line: 4 },
      'GPIO_NO_CHIP',
      /GPIO4 has no PWM of its own: use GPIO12, 13, 18 or 19.*dtoverlay=pwm-gpio,gpio=4/,
    ],
    ['a line that is no GPIO', { line: 'ID_SDA' }, 'GPIO_NO_CHIP', /say channel: and pwm_chip:/],
    [
      'a chip that is not there',
      { line: 18, pwmChip: 'pwm_pio@4' } as never,
      'GPIO_NO_CHIP',
      /no PWM chip pwm_pio@4: .*1f0009c000.pwm with 4 channels, 1f00098000.pwm/,
    ],
    [
      'a channel that is not there',
      { line: 18, channel: 4 } as never,
      'GPIO_NO_LINE',
      /no channel 4 of 1f00098000.pwm: it has channels 0 to 3/,
    ],
    [
      'a chip whose channel nobody knows',
      { line: 4, pwmChip: '1f0009c000.pwm' } as never,
      'GPIO_NO_LINE',
      /say channel: and a number from 0 to 3/,
    ],
  ]

for (const [what, choice, code, message] of refusals)
  test(`${what} is refused`, async (t) => {
    const fake = await fakePi5(t)
    await assert.rejects(new SysfsPwm(fake.dir).prepare(choice), { code, message })
  })

test('without a chip the message has the line for config.txt', async (t) => {
  const dir = await temporaryFolder(t)
  for (const empty of [dir, join(dir, 'none')])
    await assert.rejects(new SysfsPwm(empty).prepare({ line: 18 }), {
      code: 'GPIO_NO_CHIP',
      message: /dtoverlay=pwm,pin=18,func=2 to \/boot\/firmware\/config\.txt and reboot.*has no PWM chip/,
    })
})

test('a channel that is gone is told by its name', async (t) => {
  const fake = await fakePi5(t, { exported: [2] })
  const channel = await new SysfsPwm(fake.dir).prepare({ line: 18 })
  await rm(join(fake.dir, 'pwmchip2/pwm2'), { recursive: true })
  const refusal = { code: 'GPIO_FAILED', message: /channel 2 of 1f00098000.pwm: cannot .*ENOENT/ }
  assert.throws(() => channel.start(fan), refusal)
  assert.throws(() => channel.setPulse(5), refusal)
  assert.deepEqual((await readdir(join(fake.dir, 'pwmchip2'))).includes('pwm2'), false)
})

/** Prepares GPIO18 as a user without rights. @returns what it says */
async function asNobody(dir: string): Promise<string> {
  const script = `import('${new URL('../../../dist/gpio/sysfs-pwm.js', import.meta.url)}')
    .then(({ SysfsPwm }) => { console.log('asked'); return new SysfsPwm('${dir}').prepare({ line: 18 }) })
    .then(() => console.log('ready'), (error) => console.log(error.code, error.message))`
  const nobody = { uid: 65_534, gid: 65_534 }
  return (await promisify(execFile)(process.execPath, ['-e', script], nobody)).stdout
}

test('files that udev never gives to the group are refused, with the remedy', {
  skip: missing('root'),
}, async (t) => {
  const fake = await fakePi5(t, { exported: [2] })
  await chmod(join(fake.dir, '../..'), 0o755)
  assert.match(await asNobody(fake.dir), /GPIO_DENIED channel 2 of .* may not be written: .* group gpio/)
})

test('files that udev gives away a moment later are waited for', { skip: missing('root') }, async (t) => {
  const fake = await fakePi5(t, { exported: [2] })
  await chmod(join(fake.dir, '../..'), 0o755)
  const said = asNobody(fake.dir)
  for (const name of ['period', 'duty_cycle', 'polarity', 'enable']) {
    await sleep(200)
    await chown(fake.path('pwmchip2/pwm2', name), 65_534, 65_534)
  }
  assert.match(await said, /ready/)
})
