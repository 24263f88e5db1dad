import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Access, Verdict } from '#src/broker/access.js'
import { Doorkeeper, type Guest } from '#src/broker/doorkeeper.js'
import { bridgeSessionId } from '#src/core/bridge.js'
import { Counters } from '#src/core/counters.js'
import { setLimits } from '#src/core/limits.js'
import { Secret } from '#src/core/secret.js'
import { MemoryLog } from '../support/memory-log.js'

const credentials = { username: 'house', password: new Secret('right-key') }
const guest: Guest = { clientId: 'esp', address: '10.0.0.5', username: undefined, isLocal: false }
const local: Guest = { ...guest, isLocal: true }
const named: Guest = { ...guest, username: 'house', password: Buffer.from('right-key') }

function world(access: Access = { name: 'shed', allowAnonymous: 'local', credentials }) {
  const log = new MemoryLog()
  const counters = new Counters()
  const clock = { nowMs: 0 }
  const doorkeeper = new Doorkeeper({ access, log, counters, nowMs: () => clock.nowMs })
  return { log, counters, clock, doorkeeper }
}

/** Without a file of users no password has to be verified. */
function connect(doorkeeper: Doorkeeper, who: Guest): Verdict {
  const verdict = doorkeeper.mayConnect(who)
  assert.ok(!(verdict instanceof Promise), 'answered at once')
  return verdict
}

const connects: readonly (readonly [title: string, guest: Guest, reasonCode: number | undefined])[] = [
  ['a client with the name and password', named, undefined],
  ['an anonymous client of this machine', local, undefined],
  ['an anonymous client of the LAN', guest, 0x87],
  ['a wrong password', { ...named, password: Buffer.from('wrong-key') }, 0x86],
  ['a name without a password', { ...named, password: undefined }, 0x86],
  ['another user name', { ...named, username: 'stranger' }, 0x86],
  ['the id of our own rules', { ...named, clientId: 'damselfly' }, 0x85],
  ['the id of a second Damselfly of our name', { ...named, clientId: 'damselfly-shed' }, 0x85],
  ['the id of a Damselfly of another name', { ...named, clientId: 'damselfly-attic' }, undefined],
]
for (const [title, who, reasonCode] of connects)
  test(`${title} is ${reasonCode === undefined ? 'let in' : `refused with 0x${reasonCode.toString(16)}`}`, () => {
    const { doorkeeper, counters, log } = world()
    const verdict = connect(doorkeeper, who)
    assert.equal(verdict.isAllowed ? undefined : verdict.reasonCode, reasonCode)
    const refusals = reasonCode === undefined ? 0 : 1
    assert.equal(counters.get('clients.refused'), refusals)
    assert.equal(log.having('client refused').length, refusals)
  })

test('a refusal says who, from where, why and what to do, and shows no secret', () => {
  const { doorkeeper, log } = world()
  doorkeeper.mayConnect({ ...named, username: 'typed-in-the-wrong-box', password: Buffer.from('wrong-key') })
  assert.deepEqual(log.lines, [
    {
      level: 'warn',
      message: 'client refused',
      fields: {
        client: 'esp',
        address: '10.0.0.5',
        reason: 'wrong user name or password',
        remedy: 'give the client the MQTT_USERNAME and MQTT_PASSWORD that stand in .env',
      },
    },
  ])
  assert.doesNotMatch(JSON.stringify(log.lines), /right-key|wrong-key|wrong-box/)
})

test('new access holds from the next answer on', () => {
  const { doorkeeper } = world()
  assert.equal(connect(doorkeeper, guest).isAllowed, false)
  doorkeeper.setAccess({ allowAnonymous: 'everyone', credentials })
  assert.equal(connect(doorkeeper, guest).isAllowed, true)
  doorkeeper.setAccess({ allowAnonymous: 'nobody', credentials: undefined })
  assert.equal(connect(doorkeeper, local).isAllowed, false)
})

const topics: readonly (readonly [topic: string, reasonCode: number | undefined])[] = [
  ['home/lamp', undefined],
  ['/', undefined],
  ['$other/x', undefined],
  ['a/$SYS', undefined],
  ['$SYS', 0x87],
  ['$SYS/broker/uptime', 0x87],
  ['$SYSTEM', 0x87],
  ['home/+', 0x90],
  ['', 0x90],
]
for (const [topic, reasonCode] of topics)
  test(`${JSON.stringify(topic)} may ${reasonCode === undefined ? '' : 'not '}be published to by a client`, () => {
    const { doorkeeper, counters, log } = world()
    assert.equal(doorkeeper.mayPublish(guest, topic)?.reasonCode, reasonCode)
    const refusals = reasonCode === undefined ? 0 : 1
    assert.equal(counters.get('publishes.refused'), refusals)
    assert.equal(log.having('publish refused').length, refusals)
    if (refusals > 0) assert.equal(log.lines[0]?.fields['topic'], topic)
  })

const filters: readonly (readonly [filter: string, reasonCode: number | undefined])[] = [
  ['#', undefined],
  ['home/+/set', undefined],
  ['$SYS/#', undefined],
  ['a#', 0x8f],
  ['#/a', 0x8f],
  ['', 0x8f],
]
for (const [filter, reasonCode] of filters)
  test(`${JSON.stringify(filter)} may ${reasonCode === undefined ? '' : 'not '}be subscribed to`, () => {
    const { doorkeeper, counters, log } = world()
    assert.equal(doorkeeper.maySubscribe(guest, filter)?.reasonCode, reasonCode)
    const refusals = reasonCode === undefined ? 0 : 1
    assert.equal(counters.get('subscriptions.refused'), refusals)
    assert.equal(log.having('subscription refused').length, refusals)
    if (refusals > 0) assert.equal(log.lines[0]?.fields['filter'], filter)
  })

test('topics and filters have as many levels as MAX_TOPIC_LEVELS allows, also when it changes, and as many bytes as topicBytesMax', (context: TestContext) => {
  context.after(() => setLimits({}))
  const { doorkeeper } = world()
  assert.equal(doorkeeper.mayPublish(guest, 'a/b/c/d'), undefined)
  setLimits({ topicLevelsMax: 3, topicBytesMax: 6 })
  for (const [text, isRight] of [
    ['a/b/c', true],
    ['a/b/c/d', false],
    ['aaaaaa', true],
    ['aaaaaaa', false],
    ['ééé', true],
    ['éééa', false],
  ] as const) {
    assert.equal(doorkeeper.mayPublish(guest, text)?.reasonCode, isRight ? undefined : 0x90, text)
    assert.equal(doorkeeper.maySubscribe(guest, text)?.reasonCode, isRight ? undefined : 0x8f, text)
  }
})

test('the same refusal again is counted at once and logged every ten seconds, whatever the client calls itself', () => {
  const { doorkeeper, counters, log, clock } = world()
  for (let index = 0; index < 5; index++) doorkeeper.mayConnect({ ...guest, clientId: `esp${index}` })
  assert.equal(log.lines.length, 1)
  clock.nowMs = 10_000
  doorkeeper.mayConnect(guest)
  assert.equal(log.lines[1]?.fields['unlogged'], 4)
  assert.equal(counters.get('clients.refused'), 6)
})

test('another address and another kind of refusal have lines of their own', () => {
  const { doorkeeper, log } = world()
  doorkeeper.mayPublish(guest, '$SYS/a')
  doorkeeper.mayPublish({ ...guest, address: '10.0.0.6' }, '$SYS/a')
  doorkeeper.mayPublish(guest, 'x\0')
  doorkeeper.maySubscribe(guest, 'x\0')
  assert.equal(log.lines.length, 4)
})

test('a whole network of IPv6 has one line', () => {
  const { doorkeeper, counters, log } = world()
  for (let index = 1; index <= 300; index++)
    connect(doorkeeper, { ...guest, address: `2001:db8:0:1::${index.toString(16)}` })
  connect(doorkeeper, { ...guest, address: '2001:db8:0:2::1' })
  assert.equal(log.lines.length, 2)
  assert.equal(counters.get('clients.refused'), 301)
})

test('other client ids of our own bridges have no line each', () => {
  const { doorkeeper, log } = world()
  for (let index = 0; index < 300; index++)
    connect(doorkeeper, { ...guest, clientId: `${bridgeSessionId('b')}${index}` })
  assert.equal(log.lines.length, 1)
})

test('what a client sends is cut to 200 characters in the log', () => {
  const { doorkeeper, log } = world()
  const long = 'x'.repeat(201)
  doorkeeper.mayPublish({ ...guest, clientId: long }, `$SYS/${long}`)
  doorkeeper.mayPublish({ ...guest, clientId: long.slice(1), address: '::1' }, '$SYS')
  assert.equal(log.lines[0]?.fields['client'], `${'x'.repeat(200)}…`)
  assert.equal(String(log.lines[0]?.fields['topic']).length, 201)
  assert.equal(log.lines[1]?.fields['client'], 'x'.repeat(200))
})

test('a refusal that another part has found is logged in the same way, and counted by that part', () => {
  const { doorkeeper, log, counters } = world()
  for (let index = 0; index < 3; index++)
    doorkeeper.logRefusal({ address: '10.0.0.5', bytes: 300_000, reason: 'packet is too large' })
  assert.deepEqual(
    log.lines.map(({ fields, message }) => ({ ...fields, message })),
    [{ address: '10.0.0.5', bytes: 300_000, reason: 'packet is too large', message: 'client refused' }],
  )
  assert.deepEqual(counters.snapshot(), {})
})
