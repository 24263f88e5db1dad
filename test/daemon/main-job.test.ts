import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { MqttClient } from 'mqtt'
import { freePort, root, runCommand, startDaemon } from '../support/daemon.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const run = promisify(execFile)

/** The last payload of each topic under a filter, as a client sees it. */
async function watch(client: MqttClient, filter: string): Promise<Map<string, string>> {
  const seen = new Map<string, string>()
  client.on('message', (topic, payload) => seen.set(topic, `${payload}`))
  await client.subscribeAsync(filter)
  return seen
}

test('the example house lights its lamp: JSON in, line on, state told, off again by itself', async (context) => {
  const yaml = await readFile(join(root, 'config/damselfly.yaml'), 'utf8')
  const daemon = await startDaemon(context, { yaml: yaml.replace('for: 30s', 'for: 300ms') })
  const client = await daemon.connect()
  const seen = await watch(client, 'damselfly/#')
  await until('the first state', () => seen.get('damselfly/test/pins/lamp') === 'off')
  await until('online', () => seen.get('damselfly/test/status') === 'online')
  await client.publishAsync('home/lamp/set', '{"msg":"ON"}')
  await until('on', () => seen.get('damselfly/test/pins/lamp') === 'on')
  await until('off again', () => seen.get('damselfly/test/pins/lamp') === 'off')
  assert.equal(daemon.log.filter(({ rule }) => rule === 'lamp on').length, 1)
})

test('plain text is as good as JSON, and one rule serves every sensor', async (context) => {
  const yaml = await readFile(join(root, 'config/damselfly.yaml'), 'utf8')
  const daemon = await startDaemon(context, { yaml })
  const client = await daemon.connect()
  const seen = await watch(client, '#')
  await client.publishAsync('home/lamp', 'on')
  await until('on', () => seen.get('damselfly/test/pins/lamp') === 'on')
  await client.publishAsync('sensors/kitchen/temperature', '{"value":31.5}')
  await until('alarm', () => seen.has('home/alarm'))
  const alarm = JSON.parse(seen.get('home/alarm') as string)
  assert.deepEqual([alarm.where, alarm.celsius], ['kitchen', 31.5])
  assert.ok(!Number.isNaN(Date.parse(alarm.at)))
})

test('a pin obeys its topic without a rule, and an input tells its edges to rules', async (context) => {
  const daemon = await startDaemon(context, {
    yaml: `
pins:
  lamp: { gpio: 17, out: true }
  door: { gpio: 27, in: true, publish: home/door }
rules:
  - { on: home/door, when: payload == "on", do: { gpio: lamp, set: on } }
`,
  })
  const client = await daemon.connect()
  const seen = await watch(client, 'damselfly/test/pins/+')
  await client.publishAsync('damselfly/test/pins/lamp/set', 'TOGGLE')
  await until('on', () => seen.get('damselfly/test/pins/lamp') === 'on')
  await client.publishAsync('damselfly/test/pins/lamp/set', 'off')
  await until('off', () => seen.get('damselfly/test/pins/lamp') === 'off')
  await client.publishAsync('damselfly/test/pins/door/set', 'on')
  await until('the door switched the lamp', () => seen.get('damselfly/test/pins/lamp') === 'on')
})

test('stopped, it says offline and drives its outputs to on_stop; started again, it remembers what was retained', async (context) => {
  const yaml = 'pins: { lamp: { gpio: 17, out: true, initial: on } }'
  const first = await startDaemon(context, { yaml })
  const client = await first.connect()
  const history: string[] = []
  client.on('message', (topic, payload) => history.push(`${topic} ${payload}`))
  await client.subscribeAsync('damselfly/#')
  await client.publishAsync('kept', 'yes', { retain: true, qos: 1 })
  await until('online', () => history.includes('damselfly/test/status online'))
  first.kill('SIGTERM')
  await until('it ended', () => first.hasExited)
  assert.deepEqual(history.slice(-2).sort(), [
    'damselfly/test/pins/lamp off',
    'damselfly/test/status offline',
  ])
  assert.equal(await first.stop(), 0)

  const second = await startDaemon(context, { folder: first.folder, port: first.port })
  const seen = await watch(await second.connect(), '#')
  await until('what was retained', () => seen.get('kept') === 'yes')
  await until('online', () => seen.get('damselfly/test/status') === 'online')
  // the pin is gone from the configuration: its state is cleared
  assert.equal(seen.get('damselfly/test/pins/lamp') || undefined, undefined)
})

test('killed, it forgets no retained message, and starts again', async (context) => {
  const first = await startDaemon(context)
  const client = await first.connect()
  for (let index = 0; index < 50; index++)
    await client.publishAsync(`kept/${index}`, `${index}`, { retain: true, qos: 1 })
  await sleep(100) // @NOTE aedes acknowledges first and stores then: the last one needs its moment
  first.kill('SIGKILL')
  await until('it ended', () => first.hasExited)
  const second = await startDaemon(context, { folder: first.folder })
  const seen = await watch(await second.connect(), 'kept/#')
  await until('all 50', () => seen.size === 50)
})

test('a client cannot lie about a pin or about us: the truth is published again', async (context) => {
  const daemon = await startDaemon(context, { yaml: 'pins: { lamp: { gpio: 17, out: true } }' })
  const client = await daemon.connect()
  const seen = await watch(client, 'damselfly/#')
  for (const topic of ['pins/lamp', 'pins/ghost', 'status']) {
    await client.publishAsync(`damselfly/test/${topic}`, 'bogus', { retain: true, qos: 1 })
  }
  const truth = { 'pins/lamp': 'off', 'pins/ghost': '', status: 'online' }
  for (const [topic, state] of Object.entries(truth))
    await until(topic, () => seen.get(`damselfly/test/${topic}`) === state)
  const late = await watch(await daemon.connect(), 'damselfly/#')
  await until('the retained truth', () => late.size >= 2)
  assert.deepEqual(Object.fromEntries(late), {
    'damselfly/test/pins/lamp': 'off',
    'damselfly/test/status': 'online',
  })
})

test('10,000 messages in a burst to a rule: every step ran, in order for each topic', async (context) => {
  const daemon = await startDaemon(context, {
    yaml: 'rules: [{ on: in/+, do: { publish: "out/${levels[1]}", json: "${payload}" } }]',
  })
  const [sender, receiver] = [await daemon.connect(), await daemon.connect()]
  const received = new Map<string, number[]>()
  let count = 0
  receiver.on('message', (topic, payload) => {
    count++
    received.set(topic, [...(received.get(topic) ?? []), Number(payload)])
  })
  await receiver.subscribeAsync('out/#')
  for (let index = 0; index < 10_000; index++) sender.publish(`in/${index % 4}`, `${index}`)
  await until('all arrived', () => count === 10_000, 30_000)
  for (let lane = 0; lane < 4; lane++) {
    assert.deepEqual(
      received.get(`out/${lane}`),
      Array.from({ length: 2_500 }, (_, index) => index * 4 + lane),
    )
  }
})

test('while an action hangs, other rules go on, and one line says which', async (context) => {
  const daemon = await startDaemon(context, {
    yaml: `
rules:
  - { name: stuck, on: a, do: { hang: forever, timeout: 100ms } }
  - { name: free, on: a, do: { publish: b, text: done } }
`,
    files: {
      'config/actions/hang.js': `export default { name: 'hang', options: (z) => z.object({ hang: z.string() }), run: () => new Promise(() => {}) }`,
    },
  })
  const client = await daemon.connect()
  const seen = await watch(client, 'b')
  for (let index = 0; index < 20; index++) await client.publishAsync('a', '')
  await until('the free rule', () => seen.get('b') === 'done')
  const line = await daemon.logged('step failed')
  assert.deepEqual([line['rule'], line['action']], ['stuck', 'hang'])
  await sleep(300)
  assert.equal(daemon.having('step failed').length, 1)
})

const treacherous: readonly (readonly [what: string, run: string])[] = [
  ['an error in a timer', `setTimeout(() => { throw new Error('x') }, 1)`],
  ['a promise that nobody waits for', `void Promise.reject(new Error('x'))`],
  ['a publish that nobody waits for', `void publish({ topic: 'a/#', payload: '' })`],
  ['a publish of nothing', `void publish()`],
  ['a pin that is not there, later', `setTimeout(() => gpio.set('nope', 'on'), 1)`],
  ['a pulse that nobody waits for', `void gpio.pulse('nope', 10)`],
  ['a socket without an error handler', `net.connect(1, '127.0.0.1')`],
  ['a program that is not there', `spawn('/nonexistent')`],
  ['a file that is not there', `void readFile('/nonexistent')`],
  ['an object without a prototype', `throw Object.create(null)`],
  ['such an object, later', `setTimeout(() => { throw Object.create(null) }, 1)`],
]

test('whatever a user action throws, now or behind its back, is logged, and the daemon lives', async (context) => {
  const cases = treacherous.map(
    ([, run]) => `async (context) => { const { publish, gpio } = context; ${run} }`,
  )
  const daemon = await startDaemon(context, {
    yaml: 'rules: [{ on: do/+, do: { late: "${levels[1]}" } }, { on: b, do: { publish: alive, text: "${payload}" } }]',
    files: {
      'config/actions/late.mjs': `import net from 'node:net'
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
const cases = [${cases.join(',\n')}]
export default { name: 'late', options: (z) => z.object({ late: z.coerce.number() }), run: (context) => cases[context.options.late](context) }`,
    },
  })
  const client = await daemon.connect()
  const seen = await watch(client, 'alive')
  for (const [index, [what]] of treacherous.entries()) {
    const before = daemon.log.length
    await client.publishAsync(`do/${index}`, '')
    await until(`${what}: a log line`, () => daemon.log.slice(before).some(({ level }) => level === 'error'))
    await client.publishAsync('b', what)
    await until(`${what}: it lives`, () => seen.get('alive') === what)
  }
})

test('an action that holds a server open does not keep the daemon from ending', async (context) => {
  const daemon = await startDaemon(context, {
    yaml: 'rules: [{ on: a, do: [{ hold: x }, { publish: held }] }]',
    files: {
      'config/actions/hold.mjs': `import net from 'node:net'
export default { name: 'hold', options: (z) => z.object({ hold: z.string() }), run() { net.createServer().listen(0); setInterval(() => {}, 1000) } }`,
    },
  })
  const client = await daemon.connect()
  const seen = await watch(client, 'held')
  await client.publishAsync('a', '')
  await until('it holds', () => seen.has('held'))
  assert.equal(await daemon.stop(), 0)
})

test('a second daemon on the same data is refused before it touches a pin or the record of them', async (context) => {
  const first = await startDaemon(context, { yaml: 'pins: { lamp: { gpio: 17, out: true, on_stop: on } }' })
  const record = await readFile(join(first.folder, 'data/outputs.json'), 'utf8')
  await first.write('other/damselfly.yaml', 'pins: { fan: { gpio: 22, out: true } }')
  const second = await runCommand(first.folder, ['start'], {
    env: { PORT: `${await freePort()}`, CONFIG_DIR: 'other' },
  })
  assert.equal(second.code, 1)
  assert.match(second.stderr, /another Damselfly uses it/)
  assert.equal(await readFile(join(first.folder, 'data/outputs.json'), 'utf8'), record)
})

const poison: readonly (readonly [what: string, payload: Buffer | string])[] = [
  ['no JSON', '{"broken":'],
  ['JSON without the field', '{"other":1}'],
  ['invalid UTF-8', Buffer.from([0xff, 0xfe, 0xc0, 0x80])],
  ['nothing', ''],
  ['1 MiB', 'x'.repeat(1024 * 1024)],
  ['100,000 levels of nesting', '['.repeat(100_000) + ']'.repeat(100_000)],
  ['100,000 levels of objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
  ['__proto__ as a field', '{"__proto__":{"msg":"ON"},"constructor":{"prototype":{"msg":"ON"}}}'],
  ['what makes regular expressions explode', JSON.stringify({ text: `${'a'.repeat(100_000)}!` })],
  ['a list', '[1,2,3]'],
  ['null', 'null'],
]

test('poison of every kind stops nothing, stalls nothing, and is told in one clear line at most', async (context) => {
  const daemon = await startDaemon(context, {
    yaml: `
rules:
  - { name: field, on: poison, when: payload.msg == "ON", do: { log: "must not fire" } }
  - { name: map, on: poison, when: { msg: ON }, do: { log: "must not fire" } }
  - { name: pattern, on: poison, when: payload.text.matches("^(a+)+$"), do: { log: "must not fire" } }
  - { name: echo, on: poison, do: { publish: echo, json: { all: "\${payload}", some: "\${payload.msg}" } } }
  - { name: good, on: good, do: { publish: well, text: "\${payload}" } }
`,
  })
  const client = await daemon.connect()
  const seen = await watch(client, 'well')
  for (const [index, [what, payload]] of poison.entries()) {
    const before = daemon.log.length
    await client.publishAsync('poison', payload, { qos: 1 })
    await client.publishAsync('good', `${index}`, { qos: 1 })
    await until(`the other rule after ${what}`, () => seen.get('well') === `${index}`)
    assert.ok(daemon.log.length - before <= 1, `${what}: ${JSON.stringify(daemon.log.slice(before))}`)
  }
  for (const name of ['__proto__', 'constructor', 'hasOwnProperty']) {
    const odd = await daemon.connect({ clientId: name })
    await odd.publishAsync(name, 'x', { qos: 1, retain: true })
    await odd.publishAsync(`poison/${name}`, '{"__proto__":1}', { qos: 1 })
  }
  await client.publishAsync('good', 'the end', { qos: 1 })
  await until('the end', () => seen.get('well') === 'the end')
  assert.equal(
    daemon.log.some(({ msg }) => msg === 'must not fire'),
    false,
  )
})

test('mosquitto_pub and mosquitto_sub speak with it', {
  skip: missing('mosquitto_pub', 'mosquitto_sub'),
}, async (context) => {
  const daemon = await startDaemon(context, {
    yaml: 'rules: [{ on: question, do: { publish: answer, text: "42", retain: true } }]',
  })
  const at = ['-h', '127.0.0.1', '-p', `${daemon.port}`]
  await run('mosquitto_pub', [...at, '-t', 'question', '-m', '?', '-q', '2'])
  const { stdout } = await run('mosquitto_sub', [...at, '-t', 'answer', '-C', '1', '-W', '5', '-q', '1'])
  assert.equal(stdout, '42\n')
})

test('the program of the tutorial, written with paho, is heard as it is', {
  skip: missing('python3', 'paho'),
}, async (context) => {
  const daemon = await startDaemon(context, {
    yaml: `rules: [{ on: test, when: { msg: Hello }, do: { log: "hello from \${payload.client}", level: info } }]`,
  })
  await run('/usr/bin/python3', [
    '-c',
    `
import json, sys, time
import paho.mqtt.client as mqtt
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1) if hasattr(mqtt, 'CallbackAPIVersion') else mqtt.Client()
client.connect('127.0.0.1', int(sys.argv[1]), 60)
for turn in range(2):
    data = {'time': time.strftime('%d/%m/%Y %H:%M:%S'), 'client': 'pi', 'client_ip': '10.0.0.2', 'msg': 'Hello'}
    client.publish('test', json.dumps(data))
    time.sleep(0.5)
client.disconnect()`,
    `${daemon.port}`,
  ])
  await daemon.logged('hello from pi', 2)
})
