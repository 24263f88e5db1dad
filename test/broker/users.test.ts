import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { afterEach, type TestContext, test } from 'node:test'
import type { Access } from '#src/broker/access.js'
import { Doorkeeper } from '#src/broker/doorkeeper.js'
import type { User } from '#src/core/access.js'
import { Counters } from '#src/core/counters.js'
import { setLimits } from '#src/core/limits.js'
import { Secret } from '#src/core/secret.js'
import { type BrokerWorld, brokerWorld } from '../support/broker.js'
import { MemoryLog } from '../support/memory-log.js'
import { until } from '../support/until.js'
import { userOf } from '../support/users.js'
import { publishBytes } from '../support/v5-packets.js'
import { type ConnectFields, connectBytes, takePackets, type WirePacket } from '../support/wire-client.js'

afterEach(() => setLimits({}))

const joe = userOf('joe', 'right')
const jim = userOf('jim', 'correct')
/** Verifying takes about a tenth of a second. */
const slow = userOf('slow', 'right', 150_000)

function usersOnly(...users: readonly User[]): Access {
  return { allowAnonymous: 'nobody', credentials: undefined, users }
}

/** A client at an address of loopback, and what it is answered. */
class Caller {
  readonly socket: Socket
  readonly packets: WirePacket[] = []
  isClosed = false
  #bytes: Buffer = Buffer.alloc(0)

  constructor(context: TestContext, port: number, localAddress: string) {
    this.socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true })
    context.after(() => this.socket.destroy())
    this.socket.on('error', () => {})
    this.socket.on('close', () => {
      this.isClosed = true
    })
    this.socket.on('data', (chunk: Buffer) => {
      this.#bytes = takePackets(Buffer.concat([this.#bytes, chunk]), this.packets)
    })
  }

  /** The code of CONNACK; undefined when there is none yet. */
  get answer(): number | undefined {
    return this.packets.find(({ type }) => type === 2)?.body[1]
  }

  async answered(): Promise<number | undefined> {
    await until('an answer', () => this.answer !== undefined || this.isClosed)
    return this.answer
  }
}

function call(
  context: TestContext,
  { port }: BrokerWorld,
  fields: ConnectFields,
  address = '127.0.0.1',
): Caller {
  const caller = new Caller(context, port, address)
  caller.socket.write(connectBytes(fields))
  return caller
}

const asJoe = { username: 'joe', password: 'right' }

test('users of the file come in with their own password, those of .env with theirs, and nobody else', async (context) => {
  const credentials = { username: 'house', password: new Secret('key') }
  const world = await brokerWorld(context, { access: { ...usersOnly(joe, jim), credentials } })
  const table: readonly (readonly [string | undefined, string | undefined, number])[] = [
    ['joe', 'right', 0],
    ['jim', 'correct', 0],
    ['house', 'key', 0],
    ['joe', 'correct', 4],
    ['joe', undefined, 4],
    ['joe', '', 4],
    ['house', 'right', 4],
    ['nobody', 'right', 4],
    [undefined, undefined, 5],
  ]
  for (const [username, password, code] of table) {
    const fields = { ...(username && { username }), ...(password !== undefined && { password }) }
    assert.equal(await call(context, world, fields).answered(), code, `${username}:${password}`)
  }
  const lines = world.log.having('client refused').map(({ fields }) => fields)
  assert.deepEqual(
    lines.map(({ reason, user, remedy }) => [reason, user, remedy]),
    [
      ['wrong user name or password', 'joe', 'damselfly user passwd and its name set a new password'],
      [
        'no user name given',
        undefined,
        'give the client a name of damselfly user list and its password, or a new one: damselfly user add NAME',
      ],
    ],
  )
  assert.equal(world.counters.get('clients.refused'), 6)
  assert.doesNotMatch(JSON.stringify(world.log.lines), /correct|key/)
})

test('the log names a user that there is, and not a name that is nobody’s', async (context) => {
  const world = await brokerWorld(context, { access: usersOnly(joe) })
  await call(context, world, { username: 'typed-in-the-wrong-box', password: 'x' }).answered()
  const [line] = world.log.having('client refused')
  assert.equal(
    line?.fields['remedy'],
    'damselfly user list shows the names; damselfly user add NAME makes one',
  )
  assert.doesNotMatch(JSON.stringify(world.log.lines), /wrong-box/)
})

test('where there are users, ALLOW_ANONYMOUS lets in who gives no name, and nobody with a wrong one', async (context) => {
  const access: Access = { ...usersOnly(joe), allowAnonymous: 'everyone' }
  const world = await brokerWorld(context, { access })
  assert.equal(await call(context, world, {}).answered(), 0)
  assert.equal(await call(context, world, asJoe).answered(), 0)
  assert.equal(await call(context, world, { username: 'nobody', password: 'x' }).answered(), 4)
})

test('a listener has users of its own', async (context) => {
  const open = { allowAnonymous: 'everyone', credentials: undefined } as const
  const world = await brokerWorld(context, {
    access: { ...open, listeners: new Map([['main', usersOnly(joe)]]) },
  })
  assert.equal(await call(context, world, {}).answered(), 5)
  assert.equal(await call(context, world, asJoe).answered(), 0)
})

test('what a client sends before its password is verified is heard when it was right, in its order', async (context) => {
  const world = await brokerWorld(context, { access: usersOnly(slow) })
  const heard: string[] = []
  world.broker.hub.subscribe('#', ({ topic, payload }) => heard.push(`${topic} ${Buffer.from(payload)}`))
  for (const [password, expected] of [
    ['wrong', []],
    ['right', ['a 1', 'a 2']],
  ] as const) {
    const caller = call(context, world, { level: 5, username: 'slow', password })
    caller.socket.write(publishBytes('a', '1', { qos: 1, id: 1 }))
    caller.socket.write(publishBytes('a', '2', { qos: 1, id: 2 }))
    await caller.answered()
    if (expected.length > 0) await until('both', () => heard.length === 2)
    assert.deepEqual(heard, expected)
  }
})

test('a client that goes away while its password is verified leaves nothing behind', async (context) => {
  const world = await brokerWorld(context, { access: usersOnly(slow) })
  const callers = Array.from({ length: 20 }, (_, index) =>
    call(context, world, { username: 'slow', password: `guess ${index}` }),
  )
  await until('the first is at it', () => world.counters.get('passwords.verified') > 0)
  for (const { socket } of callers) socket.destroy()
  assert.equal(await call(context, world, { username: 'slow', password: 'right' }).answered(), 0)
  assert.ok(world.counters.get('passwords.verified') <= 4)
  assert.equal(world.broker.clientCount, 1)
})

test('users that change while a password is verified are those that count', async (context) => {
  const world = await brokerWorld(context, { access: usersOnly(slow) })
  const connecting = async () => {
    const before = world.counters.get('passwords.verified')
    const caller = call(context, world, { username: 'slow', password: 'right' })
    await until('it is at it', () => world.counters.get('passwords.verified') > before)
    return caller
  }
  const kept = await connecting()
  world.broker.setAccess(usersOnly({ ...slow }))
  assert.equal(await kept.answered(), 0, 'the same user, read again')

  const renewed = userOf('slow', 'right', 120_000)
  world.broker.setAccess(usersOnly(renewed))
  const changed = await connecting()
  world.broker.setAccess(usersOnly(slow))
  assert.equal(await changed.answered(), 0, 'another hash of the same password')

  world.broker.setAccess(usersOnly(renewed))
  const other = await call(context, world, { username: 'slow', password: 'right' })
  world.broker.setAccess(usersOnly(joe))
  assert.equal(await other.answered(), 4, 'it is no user any more')
})

test('who has a new password, or is no user any more, is disconnected; others notice nothing', async (context) => {
  const ann = userOf('ann', 'right')
  const world = await brokerWorld(context, { access: usersOnly(joe, jim, ann) })
  const clients = [
    call(context, world, asJoe),
    call(context, world, { username: 'jim', password: 'correct' }),
    call(context, world, { username: 'ann', password: 'right', level: 5 }),
  ] as const
  for (const client of clients) assert.equal(await client.answered(), 0)
  world.broker.setAccess(usersOnly({ ...joe }, { ...jim }, { ...ann }))
  world.broker.setAccess(usersOnly(joe, userOf('jim', 'new')))
  const [ofJoe, ofJim, ofAnn] = clients
  await until('both are gone', () => ofJim.isClosed && ofAnn.isClosed)
  assert.deepEqual([ofAnn.packets[1]?.type, ofAnn.packets[1]?.body[0]], [14, 0x87])
  ofJoe.socket.write(Buffer.from([0xc0, 0]))
  await until('an answer to its ping', () => ofJoe.packets.length === 2)
  assert.equal(world.broker.clientCount, 1)
  assert.equal(world.log.having('client disconnected').length, 2)
})

test('a certificate that counts is a user without a password, as long as it counts', () => {
  const access = (userFrom: 'common-name' | 'nothing'): Access => ({
    ...usersOnly(joe),
    listeners: new Map([['safe', { ...usersOnly(joe), tls: { userFrom } }]]),
  })
  const doorkeeper = new Doorkeeper({
    access: access('common-name'),
    log: new MemoryLog(),
    counters: new Counters(),
  })
  const guest = { clientId: 'c', address: '10.0.0.5', isLocal: false, username: undefined } as const
  const certified = { ...guest, listener: 'safe', certificateUser: 'esp' }
  assert.deepEqual(doorkeeper.mayConnect(certified), { isAllowed: true, user: 'esp' })
  assert.deepEqual(doorkeeper.mayConnect({ ...certified, username: 'joe' }), { isAllowed: true, user: 'esp' })
  assert.equal(doorkeeper.mayStay({ ...certified, user: 'esp' }).isAllowed, true)
  const codeOf = (more: object) => {
    const verdict = doorkeeper.mayStay({ ...certified, ...more })
    return verdict.isAllowed ? 0 : verdict.reasonCode
  }
  assert.equal(codeOf({ certificateUser: '$rules' }), 0x87)
  assert.equal(codeOf({ listener: 'main' }), 0x87, 'elsewhere certificates do not count')
  doorkeeper.setAccess(access('nothing'))
  assert.equal(codeOf({ user: 'esp' }), 0x87)
})

test('other clients are answered while a hundred passwords are verified', async (context) => {
  const user = userOf('joe', 'right', 5_000)
  const world = await brokerWorld(context, { access: { ...usersOnly(user), allowAnonymous: 'local' } })
  const pinging = call(context, world, {})
  await pinging.answered()
  let pings = 0
  const ping = () => pinging.socket.write(Buffer.from([0xc0, 0]))
  pinging.socket.on('data', () => {
    pings++
    ping()
  })
  const guesses = Array.from({ length: 100 }, (_, index) =>
    call(
      context,
      world,
      { username: `user ${index}`, password: 'guess' },
      `127.0.0.${2 + Math.floor(index / 5)}`,
    ),
  )
  ping()
  await until('all are refused', () => guesses.every(({ answer }) => answer === 4), 60_000)
  assert.equal(world.counters.get('passwords.verified'), 100)
  assert.ok(pings > 100, `${pings} pings were answered meanwhile`)
})

test('the rightful user comes in while a thousand wrong passwords come from one address, also from that address', async (context) => {
  setLimits({ delayedRefusalsMax: 20 }) // the test would take 4 s longer
  const user = userOf('joe', 'right', 1_000)
  const world = await brokerWorld(context, { access: usersOnly(user) })
  const attacker = '127.0.0.66'
  const guesses = Array.from({ length: 1_000 }, (_, index) =>
    call(context, world, { username: 'joe', password: `guess ${index}` }, attacker),
  )
  await until('it has begun', () => world.counters.get('passwords.wrong') > 10)
  assert.equal(await call(context, world, asJoe, '127.0.0.2').answered(), 0, 'from another address')
  assert.equal(await call(context, world, asJoe, attacker).answered(), 0, 'from the same, remembered')
  world.broker.setAccess(usersOnly(userOf('joe', 'newer', 1_000)))
  const renewed = { username: 'joe', password: 'newer' }
  assert.equal(await call(context, world, renewed, attacker).answered(), 0, 'from the same, verified')
  await until('all are refused', () => guesses.every(({ isClosed }) => isClosed), 60_000)
  assert.deepEqual(
    guesses.filter(({ answer }) => answer === 0),
    [],
  )
  const [line, ...more] = world.log.having(
    'many wrong passwords from one address: its refusals are slowed down',
  )
  assert.deepEqual([line?.fields['address'], line?.fields['user'], more.length], [attacker, 'joe', 0])
  assert.ok(world.log.having('client refused').length <= 6, 'one line in ten seconds for each reason')
})

test('a name that is guessed from many addresses is slowed down from everywhere, and other names are not', async (context) => {
  const world = await brokerWorld(context, { access: usersOnly(joe, jim) })
  const guess = (username: string, address: number) =>
    call(context, world, { username, password: 'guess' }, `127.0.0.${address}`)
  for (let address = 10; address < 15; address++) assert.equal(await guess('joe', address).answered(), 4)
  const slowed = guess('joe', 15)
  await until('it is verified', () => world.counters.get('passwords.wrong') === 6)
  assert.equal(await guess('jim', 16).answered(), 4)
  assert.equal(await call(context, world, asJoe, '127.0.0.17').answered(), 0)
  assert.equal(slowed.answer, undefined, 'it still waits')
  assert.equal(await slowed.answered(), 4)
  const [line] = world.log.having('many wrong passwords for one user: refusals are slowed down')
  assert.equal(line?.fields['user'], 'joe')
})

test('what waits for a password to be verified counts as unanswered bytes', async (context) => {
  setLimits({ unansweredBytesMax: 100_000 })
  const world = await brokerWorld(context, { access: usersOnly(slow) })
  const large = { username: 'slow', password: Buffer.alloc(40_000, 'x') }
  const callers = [call(context, world, large)]
  await until('it is at it', () => world.counters.get('passwords.verified') > 0)
  callers.push(call(context, world, large))
  callers.push(call(context, world, { ...large, password: Buffer.alloc(45_000, 'y') }))
  await until('one has to go', () => world.counters.get('unansweredBytesMax') === 1)
  await until('the largest goes', () => callers[2]?.isClosed === true)
  assert.equal(callers[2]?.answer, undefined)
  assert.equal(await callers[0]?.answered(), 4)
})
