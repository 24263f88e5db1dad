import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { FairQueue } from '#src/broker/access/fair-queue.js'
import { type Claim, type Finding, Passwords } from '#src/broker/access/passwords.js'
import type { User } from '#src/core/access.js'
import { Counters } from '#src/core/counters.js'
import { setLimits } from '#src/core/limits.js'
import { argon2Hashes, oldHash, userOf } from '../../support/users.js'

afterEach(() => setLimits({}))

const joe = userOf('joe', 'right')
/** Verifying takes long enough that others come meanwhile. */
const slow = userOf('slow', 'right', 100_000)

function world() {
  const counters = new Counters()
  const failures: unknown[] = []
  const passwords = new Passwords(counters, (error) => failures.push(error))
  const claim = (user: User | undefined, password: string, more: Partial<Claim> = {}) =>
    passwords.check({
      name: user?.name ?? 'nobody',
      user,
      standIn: joe.password,
      password: Buffer.from(password),
      address: '10.0.0.5',
      isGone: () => false,
      ...more,
    })
  const verified = () => counters.get('passwords.verified')
  return { claim, counters, failures, verified }
}

const forms: readonly (readonly [string, User, string])[] = [
  ['PBKDF2', joe, 'right'],
  ['SHA-512', { name: 'old', password: oldHash('right') }, 'right'],
  ...argon2Hashes.map(
    (encoded) =>
      [encoded.slice(0, 30), { name: 'a', password: { kind: 'argon2id', encoded } }, 'password'] as const,
  ),
]
for (const [form, user, password] of forms)
  test(`a right password is told from wrong ones: ${form}`, async () => {
    const { claim, failures } = world()
    assert.equal(await claim(user, `${password}x`), 'wrong')
    assert.equal(await claim(user, ''), 'wrong')
    assert.equal(await claim(user, password), 'right')
    assert.equal(await claim({ ...user, name: 'other' }, `${password}x`), 'wrong')
    assert.deepEqual(failures, [])
  })

test('a name that is nobody’s costs the same work, and its password is wrong whatever it is', async () => {
  const { claim, verified } = world()
  assert.equal(await claim(undefined, 'right'), 'wrong')
  assert.equal(verified(), 1)
})

test('a password that was right is known at once, until the hash of its user is another one', async () => {
  const { claim, verified } = world()
  assert.equal(await claim(joe, 'right'), 'right')
  assert.equal(claim({ ...joe }, 'right'), 'right')
  assert.equal(verified(), 1)
  assert.ok(claim(joe, 'wrong') instanceof Promise)
  const renewed = userOf('joe', 'other')
  assert.equal(await claim(renewed, 'right'), 'wrong')
  assert.equal(await claim(renewed, 'other'), 'right')
})

test('many clients with one name and password cost one verification, or two', async () => {
  const { claim, verified } = world()
  const all = Array.from({ length: 50 }, (_, index) => claim(slow, 'right', { address: `10.0.0.${index}` }))
  assert.deepEqual(new Set(await Promise.all(all)), new Set(['right']))
  assert.ok(verified() <= 2, `${verified()}`)
})

test('an address has its turn when others have had theirs, however many passwords it sends', async () => {
  const { claim, verified } = world()
  let isOver = false
  const flood = Array.from({ length: 100 }, (_, index) =>
    claim(slow, `guess ${index}`, { isGone: () => isOver }),
  )
  assert.equal(flood.length, 100)
  assert.equal(await claim(joe, 'right', { address: '10.0.0.6' }), 'right')
  assert.ok(verified() < 10, `${verified()} were verified before`)
  isOver = true
})

test('nothing is done for a client that has gone while it waited', async () => {
  const { claim, verified } = world()
  let isGone = false
  const first = claim(slow, 'one')
  for (let index = 0; index < 20; index++) void claim(slow, `guess ${index}`, { isGone: () => isGone })
  isGone = true
  assert.equal(await first, 'wrong')
  assert.equal(await claim(joe, 'right'), 'right')
  assert.equal(verified(), 2)
})

test('as many as passwordChecksMax wait; of one more the oldest of the address with most of them is refused', async () => {
  setLimits({ passwordChecksMax: 3 })
  const { claim, counters } = world()
  const findings: (readonly [string, Finding])[] = []
  const ask = async (what: string, address: string) => {
    findings.push([what, await claim(slow, what, { address })])
  }
  const running = ask('running', '10.0.0.5')
  const waiting = [ask('a', '10.0.0.5'), ask('b', '10.0.0.5'), ask('c', '10.0.0.5')]
  const other = [ask('running elsewhere', '10.0.0.6'), ask('d', '10.0.0.6')]
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(findings, [['a', 'busy']])
  assert.equal(counters.get('passwordChecksMax'), 1)
  await Promise.all([running, ...waiting, ...other])
  assert.equal(findings.filter(([, finding]) => finding === 'wrong').length, 5)
})

test('as many as passwordsRemembered are known again; one more makes the one not used for longest unknown', async () => {
  setLimits({ passwordsRemembered: 2 })
  const { claim, counters } = world()
  const [one, two, three] = ['one', 'two', 'three'].map((name) => userOf(name, 'right')) as [User, User, User]
  await claim(one, 'right')
  await claim(two, 'right')
  assert.equal(claim(one, 'right'), 'right')
  assert.equal(counters.get('passwordsRemembered'), 0)
  await claim(three, 'right')
  assert.equal(claim(one, 'right'), 'right')
  assert.ok(claim(two, 'right') instanceof Promise)
  assert.equal(counters.get('passwordsRemembered'), 1)
})

test('a hash that cannot be verified is told, and neither right nor wrong', async () => {
  const { claim, failures } = world()
  const broken: User = {
    name: 'x',
    password: { kind: 'argon2id', encoded: '$argon2id$v=19$m=8,t=1,p=1$c$c' },
  }
  assert.equal(await claim(broken, 'right'), 'failed')
  assert.equal(failures.length, 1)
})

test('a queue gives each owner its turn, the newest item first, skips those who are busy, and drops the oldest of the longest', () => {
  const queue = new FairQueue<string>()
  for (const item of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) queue.push(item.charAt(0), item)
  const nobody = new Set<string>()
  assert.equal(queue.takeFromLongest(), 'a1')
  assert.deepEqual(
    [
      queue.take(nobody),
      queue.take(new Set(['b'])),
      queue.take(nobody),
      queue.take(nobody),
      queue.take(nobody),
    ],
    ['a3', 'c2', 'b1', 'a2', 'c1'],
  )
  assert.deepEqual([queue.size, queue.take(nobody), queue.takeFromLongest()], [0, undefined, undefined])
  for (const item of ['a1', 'b1', 'b2']) queue.push(item.charAt(0), item)
  queue.drop((item) => item.endsWith('1'))
  assert.deepEqual([queue.size, queue.take(nobody), queue.take(nobody)], [1, 'b2', undefined])
})
