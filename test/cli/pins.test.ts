import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pinTable } from '#src/cli/pin-table.js'
import type { PinReport } from '#src/control/protocol.js'
import { runCommand, startDaemon } from '../support/daemon.js'
import { LiveCommand } from '../support/live-command.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const yaml = `
pins:
  lamp: { gpio: 17, out: true }
  door: { gpio: 27, in: true }
rules: [{ name: switch, on: lamp, do: { gpio: lamp, set: "\${payload}" } }]
`

test('pins prints a table once where there is no terminal, or a JSON list', async (context) => {
  const daemon = await startDaemon(context, { yaml })
  const client = await daemon.connect()
  await client.publishAsync('lamp', 'on', { qos: 1 })
  await daemon.logged('pin switched')
  const { code, stdout } = await runCommand(daemon.folder, ['pins'])
  assert.equal(code, 0)
  const lines = stdout.split('\n')
  assert.match(lines[0] as string, /^PIN +LINE +DIRECTION +STATE +SINCE +BY$/)
  assert.match(lines[1] as string, /^lamp +GPIO17 +out +on +\d\d:\d\d:\d\d +rule switch$/)
  assert.match(lines[2] as string, /^door +GPIO27 +in +off +\d\d:\d\d:\d\d$/)
  const json = JSON.parse((await runCommand(daemon.folder, ['pins', '--json'])).stdout)
  assert.deepEqual(
    json.map(({ name, state, by }: PinReport) => [name, state, by]),
    [
      ['lamp', 'on', 'rule switch'],
      ['door', 'off', undefined],
    ],
  )
})

test('on a terminal the table follows the pins until Ctrl-C, or until the daemon stops', {
  skip: missing('script'),
}, async (context) => {
  const daemon = await startDaemon(context, { yaml })
  const client = await daemon.connect()
  const live = new LiveCommand(context, daemon.folder, ['pins'], { isOnTerminal: true })
  await live.says(/lamp +GPIO17 +out +off.*Ctrl-C ends/s)
  await client.publishAsync('damselfly/test/pins/lamp/set', 'on', { qos: 1 })
  await live.says(/GPIO17 +out +\S*on.*client mqttjs_/s)
  assert.ok(live.stdout.includes('\x1b[5A\x1b[J'), 'it is written over')
  live.type('\x03')
  assert.equal(await live.end(), 0)

  const other = new LiveCommand(context, daemon.folder, ['pins'], { isOnTerminal: true })
  await other.says(/Ctrl-C ends/)
  await daemon.stop()
  assert.equal(await other.end(), 3)
  await until('it says so', () => other.stdout.includes('Damselfly has stopped'))
})

const since = new Date().toISOString()
const as = (_: string, text: string) => text

test('a table shows any kind of state, and no control character of a client', () => {
  const pins: PinReport[] = [
    { name: 'fan', line: 'GPIO18', direction: 'pwm', state: 40, unit: '%', since },
    {
      name: 'servo',
      line: 'GPIO12',
      direction: 'pwm',
      isServo: true,
      state: 90,
      unit: '°',
      since,
      by: 'client \x1b[2J\u202ex',
    },
    { name: 'meter', line: 'PULSE', direction: 'in', state: 12.5, since },
  ]
  const lines = pinTable(pins, as)
  assert.match(lines[1] as string, /^fan +GPIO18 +pwm +40 % +\d/)
  assert.match(lines[2] as string, /^servo +GPIO12 +servo +90° .*client \\u\{1b\}\[2J\\u\{202e\}x$/)
  assert.match(lines[3] as string, /^meter +PULSE +in +12\.5 /)
  assert.match(pinTable([], as)[0] as string, /no pins/)
})
