import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { limits } from '#src/core/limits.js'
import type { SensorSource } from '#src/core/pin.js'
import { describeSource, readSource } from '#src/sensors/sources.js'
import { addFiles, sysfs, w1Slave } from '../support/sensors-sysfs.js'
import { tempFolder } from '../support/temp-folder.js'

const cpu: SensorSource = { kind: 'cpu' }
const attic = { kind: 'w1', id: '28-0316a2795aff' } as const satisfies SensorSource
const devices = 'bus/w1/devices'

for (const [title, zones, expected] of [
  ['of a Raspberry Pi', { thermal_zone0: ['cpu-thermal', '48312'] }, 48.312],
  ['below zero', { thermal_zone0: ['cpu-thermal', '-1500'] }, -1.5],
  ['behind others', { thermal_zone0: ['gpu-thermal', '1'], thermal_zone10: ['soc-thermal', '50000'] }, 50],
  ['of a PC', { thermal_zone0: ['acpitz', '1'], thermal_zone1: ['x86_pkg_temp', '61000'] }, 61],
  ['of the first zone, if no name is known', { thermal_zone2: ['b', '2000'], thermal_zone11: ['a', '1'] }, 2],
] as const)
  test(`the processor’s temperature is that ${title}`, async (t) => {
    const sysDir = await sysfs(t)
    for (const [zone, [type, temp]] of Object.entries(zones))
      await addFiles(sysDir, {
        [`class/thermal/${zone}/type`]: `${type}\n`,
        [`class/thermal/${zone}/temp`]: `${temp}\n`,
      })
    assert.equal(await readSource(cpu, sysDir), expected)
  })

test('a 1-Wire sensor is read from `temperature`, and on older kernels from `w1_slave`', async (t) => {
  const sysDir = await sysfs(t, {
    [`${devices}/28-0316a2795aff/temperature`]: '21312\n',
    [`${devices}/28-0316a2795aff/w1_slave`]: w1Slave(1),
    [`${devices}/10-000802824e58/w1_slave`]: w1Slave(-1_250),
  })
  assert.equal(await readSource(attic, sysDir), 21.312)
  assert.equal(await readSource({ kind: 'w1', id: '10-000802824e58' }, sysDir), -1.25)
})

for (const [text, expected] of [
  ['1013\n', 1013],
  ['-3.25', -3.25],
  ['+4e3\n', 4000],
  ['0', 0],
] as const)
  test(`a file may hold ${JSON.stringify(text)}`, async (t) => {
    const path = join(await tempFolder(t), 'value')
    await writeFile(path, text)
    assert.equal(await readSource({ kind: 'file', path }, '/nowhere'), expected)
  })

const refused: readonly [
  title: string,
  source: SensorSource,
  files: Record<string, string>,
  message: RegExp,
][] = [
  ['no thermal zone', cpu, {}, /class\/thermal has no thermal zone: .*virtual machines/],
  [
    'no temperature in the zone',
    cpu,
    { 'class/thermal/thermal_zone0/type': 'cpu-thermal' },
    /cannot read .*thermal_zone0\/temp: it is not there/,
  ],
  [
    '1-Wire that is off',
    attic,
    {},
    /there is no .*bus\/w1\/devices: 1-Wire is off; add the line dtoverlay=w1-gpio/,
  ],
  [
    'a bus without sensors',
    attic,
    { [`${devices}/w1_bus_master1/w1_master_name`]: '' },
    /no sensor is on the 1-Wire bus .*: check the wires, and the resistor of 4\.7 kΩ/,
  ],
  [
    'an id that is not there',
    attic,
    { [`${devices}/28-0316a2795aee/temperature`]: '1', [`${devices}/28-00000abcdef0/temperature`]: '1' },
    /no sensor 28-0316a2795aff on the 1-Wire bus; did you mean 28-0316a2795aee\?; there is 28-00000abcdef0, 28-0316a2795aee$/,
  ],
  [
    'a wrong checksum',
    attic,
    { [`${devices}/28-0316a2795aff/w1_slave`]: w1Slave(21_000, 'NO') },
    /28-0316a2795aff\/w1_slave: the checksum is wrong/,
  ],
  [
    'half an answer',
    attic,
    { [`${devices}/28-0316a2795aff/w1_slave`]: '72 01' },
    /is not what a temperature sensor says/,
  ],
  [
    'the value of a sensor that has not measured',
    attic,
    { [`${devices}/28-0316a2795aff/temperature`]: '85000\n' },
    /28-0316a2795aff says 85 °C, .* before it has measured: its power fails/,
  ],
  [
    '… also on older kernels',
    attic,
    { [`${devices}/28-0316a2795aff/w1_slave`]: w1Slave(85_000) },
    /says 85 °C/,
  ],
  [
    'the value of a sensor that does not answer',
    attic,
    { [`${devices}/28-0316a2795aff/temperature`]: '-127000\n' },
    /says -127 °C: it does not answer/,
  ],
  [
    'nothing where a temperature should be',
    attic,
    { [`${devices}/28-0316a2795aff/temperature`]: '\n' },
    /temperature does not hold one number, but nothing/,
  ],
]
for (const [title, source, files, message] of refused)
  test(`${title}: refused with what to do`, async (t) => {
    await assert.rejects(readSource(source, await sysfs(t, files)), { code: 'SENSOR_FAILED', message })
  })

test('a sensor that is just not at 85 °C is believed', async (t) => {
  const sysDir = await sysfs(t, { [`${devices}/28-0316a2795aff/temperature`]: '84937\n' })
  assert.equal(await readSource(attic, sysDir), 84.937)
})

// Reading the first page of a process's memory is an input/output error.
test('a device that does not answer is advised to check the wires if it is on the 1-Wire bus, and else not', async (t) => {
  const path = '/proc/self/mem'
  await assert.rejects(readSource({ kind: 'file', path }, '/nowhere'), {
    code: 'SENSOR_FAILED',
    message: `cannot read ${path}: the device does not answer (EIO)`,
  })
  for (const file of ['temperature', 'w1_slave']) {
    const sysDir = await sysfs(t)
    await mkdir(join(sysDir, devices, attic.id), { recursive: true })
    await symlink(path, join(sysDir, devices, attic.id, file))
    await assert.rejects(readSource(attic, sysDir), { message: /does not answer \(EIO\); check the wires/ })
  }
})

test('a file that is missing, is no plain file, or holds no number is refused, and nothing hangs on a pipe', async (t) => {
  const folder = await tempFolder(t)
  const read = (name: string) => readSource({ kind: 'file', path: join(folder, name) }, '/nowhere')
  await mkdir(join(folder, 'folder'))
  execFileSync('mkfifo', [join(folder, 'pipe')])
  await addFiles(folder, { word: 'hot\n', two: '1 2\n', hex: '0x10', huge: '1e999' })
  await assert.rejects(read('none'), {
    code: 'SENSOR_FAILED',
    message: /cannot read .*none: it is not there/,
  })
  await assert.rejects(read('folder'), { code: 'SENSOR_FAILED', message: /no plain file/ })
  await assert.rejects(read('pipe'), { code: 'SENSOR_FAILED', message: /no plain file/ })
  await assert.rejects(read('word'), { message: /word does not hold one number, but "hot"$/ })
  await assert.rejects(read('two'), { message: /does not hold one number, but "1 2"$/ })
  await assert.rejects(read('hex'), { message: /does not hold one number/ })
  await assert.rejects(read('huge'), { message: /does not hold one number/ })
})

test('a file may be as long as the limit says, and no longer', async (t) => {
  const folder = await tempFolder(t)
  const longest = '7'.padStart(limits.sensorFileBytesMax)
  await addFiles(folder, { longest, longer: ` ${longest}` })
  assert.equal(await readSource({ kind: 'file', path: join(folder, 'longest') }, '/nowhere'), 7)
  await assert.rejects(readSource({ kind: 'file', path: join(folder, 'longer') }, '/nowhere'), {
    code: 'SENSOR_FAILED',
    message: /longer than 4096 bytes/,
  })
})

test('a source is called as in damselfly.yaml', () => {
  const file: SensorSource = { kind: 'file', path: '/sys/x' }
  assert.deepEqual([cpu, attic, file].map(describeSource), ['cpu', 'w1:28-0316a2795aff', '/sys/x'])
})
