import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { root, runCommand, startDaemon, writeFiles } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { until } from '../support/until.js'

async function house(context: TestContext, files: Record<string, string>): Promise<string> {
  const folder = await tempFolder(context)
  await writeFiles(folder, { '.env': 'GPIO_CHIP=simulated\nNAME=test\n', 'damselfly.yaml': '', ...files })
  return folder
}

test('check is content with the example, and says what is in it', async (context) => {
  const yaml = await readFile(join(root, 'config/damselfly.yaml'), 'utf8')
  const { code, stdout, stderr } = await runCommand(await house(context, { 'damselfly.yaml': yaml }), [
    'check',
  ])
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /no mistake; 5 rules, 3 pins/)
})

test('five different mistakes are told in one run, each with line, column and suggestion; the exit code is 2', async (context) => {
  const yaml = `pins:
  lamp: { gpio: 17, out: true, max_on: 10 }
rules:
  - on: home/lamp/set
    wehn: payload.msg == "ON"
    do: { gpoi: lamp, set: on }
  - on: home/door
    when: payload.msg = "ON"
    do: { gpio: lmap, set: on }
`
  const folder = await house(context, { 'damselfly.yaml': yaml })
  for (const command of ['check', 'start']) {
    const { code, stderr } = await runCommand(folder, [command])
    assert.equal(code, 2)
    assert.match(stderr, /5 mistakes/)
    const places = [...stderr.matchAll(/^config\/damselfly\.yaml:(\d+):(\d+): /gm)].map(
      ([, line, column]) => `${line}:${column}`,
    )
    assert.deepEqual(places, ['2:40', '5:5', '6:11', '8:23', '9:17'])
    for (const suggestion of [/try: +10s/, /try: +when/, /try: +gpio/, /== compares/, /try: +lamp/])
      assert.match(stderr, suggestion)
  }
})

test('test shows what each rule would do and runs nothing', async (context) => {
  const folder = await house(context, {
    'damselfly.yaml': `
pins: { lamp: { gpio: 17, out: true } }
rules:
  - { name: lamp, on: home/lamp/set, when: { msg: ON }, do: [{ gpio: lamp, set: on, for: 30s }, { exec: [touch, ran] }] }
  - { name: hot, on: "home/#", when: payload.value > 30, do: { log: "\${payload.value}" } }
  - { name: shout, on: home/lamp/set, do: { shout: "\${payload.msg}" } }
`,
    'config/actions/shout.js': `import { writeFileSync } from 'node:fs'
export default { name: 'shout', options: (z) => z.object({ shout: z.string().max(3) }), run() { writeFileSync('ran', '') } }`,
  })
  const { code, stdout } = await runCommand(folder, ['test', 'home/lamp/set', '{"msg":"ON"}'])
  assert.equal(code, 0)
  assert.match(stdout, /✔ lamp {2}\(config\/damselfly\.yaml:4:\d+\)\n {4}gpio: .*lamp.*\n {4}exec: .*touch/)
  assert.match(stdout, /✖ hot .*\n {4}no: payload has no field "value"/)
  assert.match(stdout, /✔ shout .*\n {4}shout: .*'ON'/)
  assert.match(stdout, /2 of 3 rules would fire; nothing was done/)
  await assert.rejects(readFile(join(folder, 'ran')))

  const tooLong = await runCommand(folder, ['test', 'home/lamp/set', '-'], { input: '{"msg":"LOUDER"}' })
  assert.match(tooLong.stdout, /shout: would fail: .*shout/)
})

test('test puts rules of other topics into one line unless asked, and says what a pin would be told', async (context) => {
  const folder = await house(context, {
    'damselfly.yaml': `
pins: { lamp: { gpio: 17, out: true } }
rules: [{ on: a, do: { log: a } }, { on: b, do: { log: b } }, { every: 5m, do: { log: c } }]`,
  })
  const said = async (...argv: string[]) => (await runCommand(folder, ['test', ...argv])).stdout
  const one = await said('a', 'x')
  assert.match(
    one,
    /^✔ a [\s\S]*\n2 rules listen to other topics or go by the clock \(--all shows them\)\n\n1 of 3 /,
  )
  assert.doesNotMatch(one, /✖/)
  const all = await said('a', 'x', '--all')
  assert.match(all, /no: the topic does not match b\n[\s\S]*no: it fires by the clock/)
  assert.doesNotMatch(all, /listen to other/)
  const set = (pin: string) => `damselfly/test/pins/${pin}/set`
  assert.match(await said(set('lamp'), 'on'), /^the pin lamp would be told on\n3 rules listen/)
  assert.match(await said(set('lmap'), 'on'), /^no pin is called lmap; nearest: lamp\n/)
})

test('test knows retained messages, and refuses what is no topic and no QoS', async (context) => {
  const folder = await house(context, {
    'damselfly.yaml':
      'rules: [{ name: a, on: x, do: { log: "${client} ${qos}" } }, { name: b, on: x, retained: true, do: { log: r } }]',
  })
  const { stdout } = await runCommand(folder, [
    'test',
    'x',
    'y',
    '--retained',
    '--client',
    'esp',
    '--qos',
    '1',
  ])
  assert.match(stdout, /✖ a .*\n {4}no: .*retained: true/)
  assert.match(stdout, /✔ b/)
  assert.match(
    (await runCommand(folder, ['test', 'x', 'y', '--client', 'esp', '--qos', '1'])).stdout,
    /esp 1/,
  )
  for (const argv of [
    ['test', 'a/#', 'x'],
    ['test', 'a', 'x', '--qos', '3'],
    ['test'],
    ['tset', 'a'],
    ['start', '--nonsense'],
  ]) {
    const { code, stderr } = await runCommand(folder, argv)
    assert.equal(code, 2, argv.join(' '))
    assert.notEqual(stderr, '')
  }
})

test('help and version are told on standard output', async (context) => {
  const folder = await house(context, {})
  const help = await runCommand(folder, ['--help'])
  assert.equal(help.code, 0)
  for (const word of ['start', 'check', 'test', 'safe', 'export', 'schema', 'service', 'Exit codes'])
    assert.match(help.stdout, new RegExp(word))
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  assert.equal((await runCommand(folder, ['--version'])).stdout, `${version}\n`)
})

test('safe drives every output without a daemon, whatever else is wrong in the file', async (context) => {
  const folder = await house(context, {
    'damselfly.yaml':
      'pins: { lamp: { gpio: 17, out: true }, fan: { gpio: 18, out: true, on_stop: on } }\nrules: [{ on: "a#" }]\n',
  })
  const { code, stdout } = await runCommand(folder, ['safe'])
  assert.equal(code, 0)
  assert.match(stdout, /pin lamp, .*state off/)
  assert.match(stdout, /pin fan, .*state on/)
  assert.match(stdout, /simulated.*\n2 of 2 outputs/)
  assert.equal((await runCommand(folder, ['safe', '--hold', 'long'])).code, 2)
})

test('safe knows from its record what a daemon held that was killed, though the file is broken since', async (context) => {
  const daemon = await startDaemon(context, { yaml: 'pins: { lamp: { gpio: 17, out: true, on_stop: on } }' })
  daemon.kill('SIGKILL')
  await until('it ended', () => daemon.hasExited)
  await daemon.write('damselfly.yaml', 'pins: { lamp: [')
  const { code, stdout, stderr } = await runCommand(daemon.folder, ['safe'])
  assert.equal(code, 0)
  assert.match(stderr, /warning: .*damselfly\.yaml:1/)
  assert.match(stdout, /pin lamp, .*state on/)
})

test('export prints what store has written, while the daemon runs', async (context) => {
  const daemon = await startDaemon(context, {
    yaml: 'rules: [{ on: sensors/+, do: { store: readings, values: { celsius: "${payload.value}" } } }]',
  })
  assert.match((await runCommand(daemon.folder, ['export', 'readings'])).stderr, /no database yet/)
  const client = await daemon.connect()
  for (const value of [20.5, 21])
    await client.publishAsync('sensors/kitchen', `{"value":${value}}`, { qos: 1 })
  await until(
    'both are written',
    async () => (await runCommand(daemon.folder, ['export', 'readings'])).stdout.split('\n').length === 4,
  )
  const csv = (await runCommand(daemon.folder, ['export', 'readings'])).stdout
  assert.match(csv, /^time,topic,payload,celsius\r\n\d{4}-.*Z,sensors\/kitchen,.*,20\.5\r\n/)
  const lines = (await runCommand(daemon.folder, ['export', 'readings', '--format', 'jsonl'])).stdout
    .trim()
    .split('\n')
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).celsius),
    [20.5, 21],
  )
  assert.equal((await runCommand(daemon.folder, ['export'])).stdout, 'readings\n')
  assert.equal(
    (await runCommand(daemon.folder, ['export', 'readings', '--since', '2999-01-01'])).stdout.split('\n')
      .length,
    2,
  )
  const unknown = await runCommand(daemon.folder, ['export', 'reading'])
  assert.deepEqual([unknown.code, /did you mean "readings"/.test(unknown.stderr)], [2, true])
  assert.equal((await runCommand(daemon.folder, ['export', 'readings', '--format', 'xml'])).code, 2)
  assert.equal((await runCommand(daemon.folder, ['export', 'readings', '--since', 'soon'])).code, 2)
})

test('the schema for editors is the one in the repository', async (context) => {
  const { stdout } = await runCommand(await house(context, {}), ['schema'])
  const kept = await readFile(join(root, 'config/damselfly.schema.json'), 'utf8')
  assert.equal(stdout, kept, 'run: npm run schema')
})

test('start on a taken port says who it may be and what to do, and ends with code 1', async (context) => {
  const daemon = await startDaemon(context)
  const folder = await house(context, { '.env': `PORT=${daemon.port}\nBIND=loopback\nGPIO_CHIP=simulated\n` })
  const { code, stderr } = await runCommand(folder, ['start'])
  assert.equal(code, 1)
  assert.match(
    stderr,
    new RegExp(`port ${daemon.port} on 127\\.0\\.0\\.1 is taken.*mosquitto.*PORT in \\.env`),
  )
})
