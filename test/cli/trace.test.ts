import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { startControl, tracedMessage } from '../support/control.js'
import { runCommand, startDaemon, writeFiles } from '../support/daemon.js'
import { LiveCommand } from '../support/live-command.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

/** A control socket where the commands in a folder look for it. */
async function startHouse(context: TestContext) {
  const folder = await tempFolder(context)
  await writeFiles(folder, { '.env': '' })
  await mkdir(join(folder, 'data'))
  return { folder, world: await startControl(context, { folder: join(folder, 'data') }) }
}

test('trace shows a message, its rule and its steps, the late ones too, and ends with Ctrl-C', async (context) => {
  const { folder, world } = await startHouse(context)
  const live = new LiveCommand(context, folder, ['trace', 'home/#'])
  await live.says(/tracing home\/# at test; Ctrl-C ends/)
  const { trace } = world
  trace.tell(tracedMessage(1, 'home/lamp/set', { rules: ['lamp on'] }))
  trace.tell({ kind: 'rule', id: 1, rule: 'lamp on', outcome: 'fired' })
  trace.tell(tracedMessage(2, 'elsewhere'))
  trace.tell(tracedMessage(3, 'home/lamp/Set'))
  trace.tell({
    kind: 'step',
    id: 1,
    rule: 'lamp on',
    step: 1,
    action: 'http',
    outcome: 'failed',
    tookMs: 5_000,
    reason: 'no answer',
  })
  await live.says(/no answer/)
  assert.equal(await live.end('SIGINT'), 0)
  const lines = live.stdout.split('\n').map((line) => line.replaceAll(/\d\d:\d\d:\d\d\.\d+/g, 'T'))
  assert.deepEqual(lines, [
    'T  home/lamp/set  {"msg":"ON"}  qos 0, from esp32',
    '              ✔ lamp on  fired',
    'T  home/lamp/Set  {"msg":"ON"}  qos 0, from esp32',
    '              no rule listens to home/lamp/Set; nearest: home/lamp/set',
    'T  ↳ home/lamp/set of T: lamp on, step 1 http  failed after 5s: no answer',
    '',
  ])
  await until('the daemon traces no more', () => !trace.isOn)
})

test('trace --json gives the lines of the control socket', async (context) => {
  const { folder, world } = await startHouse(context)
  const live = new LiveCommand(context, folder, ['trace', '--json'])
  await live.says(/tracing all messages/)
  world.trace.tell(tracedMessage(1, 'a', { payload: Buffer.from([255]) }))
  await live.says(/base64/)
  assert.equal(await live.end('SIGTERM'), 0)
  const [begin, , { message }] = live.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  assert.deepEqual(begin, { protocol: 1, trace: '#', name: 'test' })
  assert.deepEqual([message.topic, message.base64, message.bytes], ['a', '/w==', 1])
})

test('colours are for terminals, and for those who have not refused them', {
  skip: missing('script'),
}, async (context) => {
  const { folder, world } = await startHouse(context)
  for (const [env, isColored] of [
    [{}, true],
    [{ NO_COLOR: '1' }, false],
  ] as const) {
    const live = new LiveCommand(context, folder, ['trace'], { isOnTerminal: true, env })
    await live.says(/tracing/)
    world.trace.tell(tracedMessage(1, 'some/topic'))
    await live.says(/no rule listens/)
    assert.equal(live.stdout.includes('\x1b['), isColored, JSON.stringify(env))
    live.type('\x03')
    assert.equal(await live.end(), 0)
  }
})

test('trace goes on through a reload, and ends with code 3 when the daemon stops', async (context) => {
  const daemon = await startDaemon(context, { yaml: 'rules: [{ on: a, do: { log: a } }]' })
  const live = new LiveCommand(context, daemon.folder, ['trace'])
  await live.says(/tracing all messages at test/)
  await daemon.write('damselfly.yaml', 'rules: [{ on: b, do: { log: b } }]')
  await daemon.reload()
  assert.equal((await runCommand(daemon.folder, ['status'])).code, 0)
  await daemon.stop()
  assert.equal(await live.end(), 3)
  assert.match(live.stderr, /Damselfly has stopped, and the trace ends/)
})

test('what is no filter is refused', async (context) => {
  const { code, stderr } = await runCommand(await tempFolder(context), ['trace', 'home/#/x'])
  assert.equal(code, 2)
  assert.match(stderr, /"home\/#\/x" is not a topic filter: # must be the last level/)
})

test('trace says what is wrong with a command for a pin', async (context) => {
  const daemon = await startDaemon(context, { yaml: 'pins: { lamp: { gpio: 17, out: true } }' })
  const live = new LiveCommand(context, daemon.folder, ['trace', 'damselfly/+/pins/+/set'])
  await live.says(/tracing/)
  const client = await daemon.connect()
  for (const [topic, payload, remark] of [
    ['damselfly/test/pins/lmap/set', 'on', /no pin is called lmap; nearest: lamp\n/],
    ['damselfly/other/pins/lamp/set', 'on', /this Damselfly is called test\n/],
    [
      'damselfly/test/pins/lamp/set',
      'onn',
      /the pin lamp does not understand that; it knows on, off, toggle/,
    ],
    ['damselfly/test/pins/lamp/set', '50', /pin lamp is a switched pin: .* not 50\n/],
    ['damselfly/test/pins/lamp/set', 'on', /a command for the pin lamp; no rule\n/],
  ] as const) {
    await client.publishAsync(topic, payload, { qos: 1 })
    await live.says(remark)
  }
})
