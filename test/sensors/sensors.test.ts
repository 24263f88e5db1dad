import assert from 'node:assert/strict'
import { mock, type TestContext, test } from 'node:test'
import { Counters } from '#src/core/counters.js'
import { DamselflyError } from '#src/core/errors.js'
import type { Sensor, SensorSource } from '#src/core/pin.js'
import { Sensors } from '#src/sensors/sensors.js'
import { readSource } from '#src/sensors/sources.js'
import { MemoryHub } from '../support/gpio-hub.js'
import { MemoryLog } from '../support/memory-log.js'
import { addFiles, sysfs } from '../support/sensors-sysfs.js'

const place = { file: 'damselfly.yaml', line: 1, column: 1 }
const prefix = 'damselfly/shed/sensors'

function sensor(name: string, more: Partial<Sensor> = {}): Sensor {
  const source: SensorSource = { kind: 'file', path: `/sys/${name}` }
  return { name, source, everyMs: 30_000, scale: 1, offset: 0, decimals: 1, place, ...more }
}

type Value = number | Error | Promise<number>

/** Sensors whose values stand in `values` by path or id, under a clock that `pass` moves. */
async function world(
  t: TestContext,
  sensors: readonly Sensor[],
  values: Record<string, Value>,
  hub = new MemoryHub(),
) {
  mock.timers.enable({ apis: ['setTimeout'] })
  t.after(() => mock.timers.reset())
  const log = new MemoryLog()
  const counters = new Counters()
  const reads: string[] = []
  const read = async (source: SensorSource): Promise<number> => {
    const key = source.kind === 'file' ? source.path.slice('/sys/'.length) : source.kind
    reads.push(key)
    const value = await values[key]
    if (value instanceof Error) throw value
    return value ?? 0
  }
  const clock = { nowMs: 0 }
  const it = new Sensors({ hub, name: 'shed', log, counters, read, nowMs: () => clock.nowMs })
  t.after(() => it.close())
  await it.start(sensors)
  await settle()
  return {
    it,
    hub,
    log,
    counters,
    reads,
    pass: async (ms: number) => {
      clock.nowMs += ms
      mock.timers.tick(ms)
      await settle()
    },
    sent: (topic: string) =>
      hub.published.filter((message) => message.topic === topic).map(({ payload }) => payload),
  }
}

async function settle(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve))
}

test('a value goes retained to the state when it has changed, and to the topic at each reading', async (t) => {
  const values = { attic: 21.34 }
  const attic = sensor('attic', { publish: 'home/attic' })
  const { hub, pass, sent } = await world(t, [attic], values)
  assert.deepEqual(hub.states, { [`${prefix}/attic`]: '21.3' })
  await pass(30_000)
  values.attic = 21.36
  await pass(29_999)
  assert.deepEqual(sent('home/attic'), ['21.3', '21.3'])
  await pass(1)
  assert.deepEqual(sent('home/attic'), ['21.3', '21.3', '21.4'])
  assert.deepEqual(sent(`${prefix}/attic`), ['21.3', '21.4'])
  assert.equal(hub.published.find(({ topic }) => topic === 'home/attic')?.retain, undefined)
})

for (const [read, more, expected] of [
  [40_123, { scale: 0.001, decimals: 1 }, '40.1'],
  [40_123, { scale: 0.001, offset: -40, decimals: 3 }, '0.123'],
  [21, { decimals: 1 }, '21'],
  [-0.04, { decimals: 1 }, '0'],
  [212.5, { scale: 5 / 9, offset: -160 / 9, decimals: 2 }, '100.28'],
] as const)
  test(`${read} with ${JSON.stringify(more)} is ${expected}`, async (t) => {
    const { hub } = await world(t, [sensor('a', more)], { a: read })
    assert.equal(hub.states[`${prefix}/a`], expected)
  })

test('a value beyond all numbers is a failure', async (t) => {
  const { hub, log } = await world(t, [sensor('a', { scale: 1e9 })], { a: 1e308 })
  assert.deepEqual(hub.states, {})
  assert.match(String(log.having('sensor not read')[0]?.fields['reason']), /too large/)
})

test('a failure clears the state, is one line until it is over, and is counted each time', async (t) => {
  const values: Record<string, Value> = { attic: 20 }
  const { hub, log, counters, pass, sent } = await world(
    t,
    [sensor('attic', { publish: 'home/attic' })],
    values,
  )
  values['attic'] = new DamselflyError('SENSOR_FAILED', 'it is not there')
  await pass(30_000)
  assert.deepEqual(hub.states, {})
  await pass(30_000)
  await pass(30_000)
  assert.equal(counters.get('sensors.failed'), 3)
  assert.deepEqual(log.lines, [
    {
      level: 'warn',
      fields: { sensor: 'attic', read: '/sys/attic', reason: 'it is not there' },
      message: 'sensor not read',
    },
  ])
  values['attic'] = 22
  await pass(30_000)
  assert.deepEqual(hub.states, { [`${prefix}/attic`]: '22' })
  assert.deepEqual(log.lines.slice(1), [
    { level: 'info', fields: { sensor: 'attic', value: '22' }, message: 'sensor is read again' },
  ])
  assert.deepEqual(sent('home/attic'), ['20', '22'])
  assert.deepEqual(sent(`${prefix}/attic`), ['20', '', '22'])
})

test('one that fails from the start is told at once, and keeps no other from being read', async (t) => {
  const values = { attic: new Error('gone'), hall: 19 }
  const { hub, log } = await world(t, [sensor('attic'), sensor('hall')], values)
  assert.deepEqual(hub.states, { [`${prefix}/hall`]: '19' })
  assert.equal(log.having('sensor not read').length, 1)
})

test('a slow reading is not begun again, and other kinds of sources do not wait for it', async (t) => {
  let free = (_value: number): void => {}
  const values: Record<string, Value> = { cpu: 50, w1: new Promise<number>((resolve) => (free = resolve)) }
  const w1 = sensor('attic', { source: { kind: 'w1', id: '28-0' }, everyMs: 1_000 })
  const cpu = sensor('cpu', { source: { kind: 'cpu' }, everyMs: 1_000 })
  const { reads, hub, pass } = await world(t, [w1, cpu], values)
  for (let second = 0; second < 5; second++) await pass(1_000)
  assert.equal(reads.filter((key) => key === 'w1').length, 1)
  assert.equal(reads.filter((key) => key === 'cpu').length, 6)
  assert.deepEqual(Object.entries(hub.states), [[`${prefix}/cpu`, '50']])
  free(20)
  values['w1'] = 21
  await pass(0)
  assert.equal(hub.states[`${prefix}/attic`], '20')
  await pass(1_000)
  assert.equal(hub.states[`${prefix}/attic`], '21')
})

test('a reload leaves unchanged sensors alone, begins changed ones anew, and clears removed ones', async (t) => {
  const { it, hub, reads, pass } = await world(t, [sensor('a'), sensor('b'), sensor('c')], {
    a: 1,
    b: 2,
    c: 3,
  })
  await pass(20_000)
  reads.length = 0
  await it.apply([sensor('a', { place: { ...place, line: 9 } }), sensor('b', { scale: 10 }), sensor('d')])
  await pass(0)
  assert.deepEqual(reads, ['b', 'd'])
  assert.deepEqual(hub.states, { [`${prefix}/a`]: '1', [`${prefix}/b`]: '20', [`${prefix}/d`]: '0' })
  await pass(10_000)
  assert.deepEqual(reads, ['b', 'd', 'a'])
  await pass(100_000)
  assert.ok(!reads.includes('c'))
})

test('what an earlier process left is cleared before the first reading, and everything at the end', async (t) => {
  const hub = new MemoryHub()
  for (const name of ['old', 'attic'])
    await hub.publish({ topic: `${prefix}/${name}`, payload: '99', retain: true })
  const never = new Promise<number>(() => {})
  const { it, reads, pass } = await world(
    t,
    [sensor('hall'), sensor('attic')],
    { hall: 19, attic: never },
    hub,
  )
  assert.deepEqual(hub.states, { [`${prefix}/hall`]: '19' })
  await it.close()
  assert.deepEqual(hub.states, {})
  const before = reads.length
  await pass(100_000)
  assert.equal(reads.length, before)
})

test('a state that the broker refuses is one line, and the readings go on', async (t) => {
  const hub = new MemoryHub()
  hub.failure = new Error('no room')
  const { log, reads, pass } = await world(t, [sensor('a')], { a: 1 }, hub)
  await pass(30_000)
  assert.equal(reads.length, 2)
  assert.equal(log.having('sensor message not published').length, 1)
})

test('real files are read: a sensor that is plugged in later is found', async (t) => {
  const sysDir = await sysfs(t)
  const log = new MemoryLog()
  const hub = new MemoryHub()
  const read = (source: SensorSource) => readSource(source, sysDir)
  const it = new Sensors({ hub, name: 'shed', log, counters: new Counters(), read })
  t.after(() => it.close())
  const until = async (what: string, holds: () => boolean) => {
    for (let tries = 0; tries < 500 && !holds(); tries++)
      await new Promise((resolve) => setTimeout(resolve, 10))
    assert.ok(holds(), what)
  }
  await it.start([sensor('attic', { source: { kind: 'w1', id: '28-0316a2795aff' }, everyMs: 50 })])
  await until('told', () => log.having('sensor not read').length === 1)
  await addFiles(sysDir, { 'bus/w1/devices/28-0316a2795aff/temperature': '21312\n' })
  await until('read', () => hub.states[`${prefix}/attic`] === '21.3')
})
