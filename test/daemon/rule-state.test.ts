import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCommand, startDaemon } from '../support/daemon.js'
import { until } from '../support/until.js'

const yaml = (extra = '') => `
pins: { fan: { gpio: 17, out: true } }
rules:
  - name: fan
    on: room/t
    when: payload > 30
    until: payload < 27
    ${extra}
    do: { publish: told, text: "hot \${payload}" }
    else: { publish: told, text: "cool \${payload}" }
  - name: knock
    on: door/knock
    when: count >= 3 && last("home/mode").payload == "away" && pins.fan == "on" && changed(payload)
    ${extra}
    do: { publish: told, text: "knock \${count} \${pins.fan} \${payload}" }
  - name: silent
    on: sensor/+
    after: 1s
    do: { publish: told, text: "silent after \${payload}" }
`

test('what rules remember outlives a reload, and what is retained a restart', async (context) => {
  const daemon = await startDaemon(context, { yaml: yaml() })
  const told: string[] = []
  const client = await daemon.connect()
  client.on('message', (_, payload) => told.push(`${payload}`))
  await client.subscribeAsync('told')
  const publish = (topic: string, payload: string) => client.publishAsync(topic, payload, { qos: 1 })
  await client.publishAsync('home/mode', 'away', { qos: 1, retain: true })
  await publish('damselfly/test/pins/fan/set', 'on')
  await publish('room/t', '31')
  await publish('door/knock', 'a')
  await publish('door/knock', 'b')
  await until('the fan rule fired', () => told.length === 1)

  await daemon.write('damselfly.yaml', yaml('throttle: 1ms'))
  await daemon.reload()
  await publish('room/t', '32') // has fired already
  await publish('door/knock', 'b') // the third, and no change
  await publish('door/knock', 'c')
  await publish('room/t', '26')
  await publish('sensor/t', '7')
  await until('all was told', () => told.length === 4)
  assert.deepEqual(told.toSorted(), ['cool 26', 'hot 31', 'knock 4 on c', 'silent after 7'])
  await daemon.stop()

  const again = await startDaemon(context, { yaml: yaml(), folder: daemon.folder })
  const late = await again.connect()
  const answers: string[] = []
  late.on('message', (_, payload) => answers.push(`${payload}`))
  await late.subscribeAsync('told')
  await late.publishAsync('damselfly/test/pins/fan/set', 'on', { qos: 1 })
  for (const payload of ['a', 'b', 'c']) await late.publishAsync('door/knock', payload, { qos: 1 })
  await until('the retained mode is known', () => answers.includes('knock 3 on c'))
})

test('damselfly test says what only the running daemon knows, and what else would do', async (context) => {
  const daemon = await startDaemon(context, { yaml: yaml() })
  const knock = await runCommand(daemon.folder, ['test', 'door/knock', 'x'])
  assert.match(
    knock.stdout,
    /✖ knock .*\n {4}no: only the running daemon knows changed\(payload\); damselfly trace shows it/,
  )
  const cool = await runCommand(daemon.folder, ['test', 'room/t', '20'])
  assert.match(
    cool.stdout,
    /✖ fan .*\n {4}no: payload > 30 is false: payload is 20\n {4}else, if it has fired before:\n {4}publish: .*cool 20/,
  )
  const hot = await runCommand(daemon.folder, ['test', 'room/t', '31'])
  assert.match(
    hot.stdout,
    /✔ fan .*\n {4}unless it has fired, and payload < 27 has not held since:\n {4}publish:/,
  )
})
