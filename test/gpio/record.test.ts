import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { outputsRecordPath, readOutputsRecord, writeOutputsRecord } from '#src/gpio/record.js'
import { temporaryFolder } from '../support/gpio-kit.js'

const lamp = { pin: 'lamp', line: 'GPIO17', offset: 17, isActiveLow: true, onStop: 'off' } as const
const fan = {
  pin: 'fan',
  line: 'GPIO18',
  chip: '1f00098000.pwm',
  number: 2,
  periodNs: 40_000,
  pulseNs: 0,
  isInversed: false,
}
const pwm = { dir: '/sys/class/pwm', channels: [fan] }
const record = { choice: 'auto', chip: { path: '/dev/gpiochip0', label: 'pinctrl-rp1' }, outputs: [lamp] }

test('a record comes back as it was written, from a folder that was made for it', async (t) => {
  const dataDir = join(await temporaryFolder(t), 'data')
  assert.equal(await readOutputsRecord(dataDir), undefined)
  await writeOutputsRecord(dataDir, record)
  assert.deepEqual(await readOutputsRecord(dataDir), record)
  const next = { ...record, outputs: [{ ...lamp, line: '', onStop: 'on' as const }] }
  await writeOutputsRecord(dataDir, next)
  assert.deepEqual(await readOutputsRecord(dataDir), next)
  assert.deepEqual(await readdir(dataDir), ['outputs.json'])
})

test('a record without outputs is removed, also when there was none', async (t) => {
  const dataDir = await temporaryFolder(t)
  await writeOutputsRecord(dataDir, { ...record, outputs: [] })
  await writeOutputsRecord(dataDir, record)
  await writeOutputsRecord(dataDir, { ...record, outputs: [] })
  assert.deepEqual(await readdir(dataDir), [])
})

test('a record that cannot take its place leaves no draft behind', async (t) => {
  const dataDir = await temporaryFolder(t)
  await mkdir(join(outputsRecordPath(dataDir), 'in-the-way'), { recursive: true })
  await assert.rejects(writeOutputsRecord(dataDir, record))
  assert.deepEqual(await readdir(dataDir), ['outputs.json'])
  await assert.rejects(readOutputsRecord(dataDir), { code: 'GPIO_FAILED', message: /cannot be used: EISDIR/ })
})

test('a record of PWM channels alone is kept, and comes back as it was written', async (t) => {
  const dataDir = await temporaryFolder(t)
  await writeOutputsRecord(dataDir, { ...record, outputs: [], pwm })
  assert.deepEqual(await readOutputsRecord(dataDir), { ...record, outputs: [], pwm })
})

const whole = { version: 1, ...record }
const damaged = {
  empty: '',
  'cut off': JSON.stringify(whole).slice(0, 40),
  'no object': 'null',
  'another version': JSON.stringify({ ...whole, version: 2 }),
  'no choice': JSON.stringify({ ...whole, choice: undefined }),
  'no chip': JSON.stringify({ ...whole, chip: 'pinctrl' }),
  'a chip without label': JSON.stringify({ ...whole, chip: { path: '/dev/gpiochip0' } }),
  'no outputs': JSON.stringify({ ...whole, outputs: {} }),
  'an output that is none': JSON.stringify({ ...whole, outputs: [lamp, null] }),
  'an output without a name': JSON.stringify({ ...whole, outputs: [{ ...lamp, pin: 1 }] }),
  'a negative offset': JSON.stringify({ ...whole, outputs: [{ ...lamp, offset: -1 }] }),
  'PWM without channels': JSON.stringify({ ...whole, pwm: { dir: '/sys/class/pwm' } }),
  'a channel that is none': JSON.stringify({ ...whole, pwm: { ...pwm, channels: [{ ...fan, number: -1 }] } }),
  'an unknown state': JSON.stringify({ ...whole, outputs: [{ ...lamp, onStop: 'maybe' }] }),
}

for (const [what, text] of Object.entries(damaged))
  test(`a damaged record is refused by its path: ${what}`, async (t) => {
    const dataDir = await temporaryFolder(t)
    await writeFile(outputsRecordPath(dataDir), text)
    await assert.rejects(readOutputsRecord(dataDir), {
      code: 'GPIO_FAILED',
      message: /outputs\.json cannot be used/,
    })
  })
