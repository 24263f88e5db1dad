import assert from 'node:assert/strict'
import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type TelemetryKind, telemetryKinds } from '#src/core/telemetry.js'
import { askMachine } from '#src/sensors/ask-machine.js'
import { hasUnreadWireless, type MachinePlaces, readMachine } from '#src/sensors/machine.js'
import { addFiles } from '../support/sensors-sysfs.js'
import { tempFolder } from '../support/temp-folder.js'

/** A machine whose `/sys` and `/proc` have these files and nothing else. */
async function machineWith(t: TestContext, files: Readonly<Record<string, string>>): Promise<MachinePlaces> {
  const top = await tempFolder(t)
  await addFiles(top, files)
  return {
    sysDir: join(top, 'sys'),
    procDir: join(top, 'proc'),
    disk: join(top, 'no'),
    vcgencmd: join(top, 'vc'),
  }
}

const firmware = 'sys/devices/platform/soc/soc:firmware/get_throttled'
const wireless = `Inter-| sta-|   Quality        |   Discarded packets
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
 wlan0: 0000   58.  -52.  -256        0      0      0      0      0        0
`

const readings: readonly [kind: TelemetryKind, files: Record<string, string>, expected: object][] = [
  [
    'temperature',
    {
      'sys/class/thermal/thermal_zone0/type': 'cpu-thermal\n',
      'sys/class/thermal/thermal_zone0/temp': '48312\n',
    },
    { temperature: 48.3 },
  ],
  ['load', { 'proc/loadavg': '0.52 0.58 0.59 1/233 4242\n' }, { load: 0.52 }],
  ['load', { 'proc/loadavg': '' }, {}],
  ['load', { 'proc/loadavg': 'much\n' }, {}],
  ['uptime', { 'proc/uptime': '35012.77 139820.15\n' }, { uptime: 35_012 }],
  [
    'memory',
    { 'proc/meminfo': 'MemTotal:        1000000 kB\nMemFree:  1 kB\nMemAvailable:     750000 kB\n' },
    { memory: 25 },
  ],
  ['memory', { 'proc/meminfo': 'MemTotal:        1000000 kB\n' }, {}],
  ['wifi', { 'proc/net/wireless': wireless }, { wifi: -52 }],
  ['wifi', { 'proc/net/wireless': wireless.replace('-52.', '0.') }, {}],
  ['wifi', { 'proc/net/wireless': wireless.split('\n').slice(0, 2).join('\n') }, {}],
  ['throttling', { [firmware]: '0\n' }, { under_voltage: false, throttled: false }],
  ['throttling', { [firmware]: '50001\n' }, { under_voltage: true, throttled: false }],
  [
    'throttling',
    { 'sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled': '4\n' },
    { under_voltage: false, throttled: true },
  ],
  ['throttling', { [firmware]: 'none\n' }, {}],
  [
    'throttling',
    { 'sys/class/hwmon/hwmon2/name': 'rpi_volt\n', 'sys/class/hwmon/hwmon2/in0_lcrit_alarm': '1\n' },
    { under_voltage: true },
  ],
  ['throttling', { 'sys/class/hwmon/hwmon0/name': 'nvme\n' }, {}],
  ['disk', {}, {}],
]

for (const [kind, files, expected] of readings)
  test(`${kind}: ${JSON.stringify(files).slice(0, 90)} is ${JSON.stringify(expected)}`, async (t) => {
    assert.deepEqual(await readMachine([kind], await machineWith(t, files)), expected)
  })

test('the firmware itself tells what has been since the start', async (t) => {
  const places = await machineWith(t, { [firmware]: '0\n', vc: '#!/bin/sh\necho "throttled=0x50000"\n' })
  await chmod(places.vcgencmd, 0o755)
  assert.deepEqual(await readMachine(['throttling'], places), {
    under_voltage: false,
    throttled: false,
    under_voltage_since_boot: true,
    throttled_since_boot: true,
  })
})

test('where the firmware may not be asked, the kernel’s file tells what is now', async (t) => {
  const places = await machineWith(t, {
    [firmware]: '1\n',
    vc: '#!/bin/sh\necho "VCHI initialization failed"\nexit 1\n',
  })
  await chmod(places.vcgencmd, 0o755)
  assert.deepEqual(await readMachine(['throttling'], places), { under_voltage: true, throttled: false })
})

test('a machine that tells nothing is read without a mistake, and nothing else than asked for is read', async (t) => {
  assert.deepEqual(await readMachine(telemetryKinds, await machineWith(t, {})), {})
  const places = await machineWith(t, { 'proc/loadavg': '1 1 1\n', 'proc/uptime': '5 5\n' })
  assert.deepEqual(await readMachine(['load'], places), { load: 1 })
})

test('a wireless network is unread when the kernel has no file for it', async (t) => {
  const phy = { 'sys/class/net/wlan0/phy80211/name': 'phy0' }
  assert.equal(await hasUnreadWireless(await machineWith(t, phy)), true)
  assert.equal(
    await hasUnreadWireless(await machineWith(t, { ...phy, 'proc/net/wireless': wireless })),
    false,
  )
  assert.equal(await hasUnreadWireless(await machineWith(t, { 'sys/class/net/eth0/mtu': '1500' })), false)
})

test('systeminformation is asked in a process of its own and answers', async () => {
  const found = await askMachine(['temperature', 'wifi'], 20_000)
  for (const value of Object.values(found)) assert.equal(typeof value, 'number')
})

test('a child that hangs is ended, and one that prints something else has told nothing', async (t) => {
  const folder = await tempFolder(t)
  const hanging = join(folder, 'hanging.mjs')
  await writeFile(hanging, 'setInterval(() => {}, 1000)')
  assert.deepEqual(await askMachine(['wifi'], 300, undefined, hanging), {})
  assert.deepEqual(await askMachine(['wifi'], 20_000, AbortSignal.timeout(300), hanging), {})
  for (const text of ['no json', '{"temperature":"hot","wifi":null}', 'null']) {
    const printing = join(folder, 'printing.mjs')
    await writeFile(printing, `process.stdout.write(${JSON.stringify(text)})`)
    assert.deepEqual(await askMachine(['wifi'], 20_000, undefined, printing), {})
  }
})
