import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { Guesses } from '#src/broker/access/guesses.js'
import { Counters } from '#src/core/counters.js'
import { setLimits } from '#src/core/limits.js'
import { networkOf } from '#src/core/network.js'

afterEach(() => setLimits({}))

function world() {
  const counters = new Counters()
  const guesses = new Guesses(counters)
  /** The delays of so many wrong guesses. */
  const delays = (
    count: number,
    from: (index: number) => readonly [address: string, name: string],
    atMs = 0,
  ) => Array.from({ length: count }, (_, index) => guesses.wrong(...from(index), atMs).delayMs)
  return { counters, guesses, delays }
}

test('five wrong passwords from an address cost nothing, each further one twice as long as the one before, at most 4 s', () => {
  const { delays, counters } = world()
  const expected = [0, 0, 0, 0, 0, 250, 500, 1_000, 2_000, 4_000, 4_000]
  assert.deepEqual(
    delays(11, (index) => ['10.0.0.5', `name ${index}`]),
    expected,
  )
  assert.equal(counters.get('passwords.wrong'), 11)
})

test('wrong passwords for one name from many addresses are slowed down as well', () => {
  const { delays } = world()
  assert.deepEqual(
    delays(7, (index) => [`10.0.0.${index}`, 'joe']),
    [0, 0, 0, 0, 0, 250, 500],
  )
})

test('another address with another name is not slowed down', () => {
  const { delays, guesses } = world()
  delays(20, () => ['10.0.0.5', 'joe'])
  assert.equal(guesses.wrong('10.0.0.6', 'jim', 0).delayMs, 0)
})

test('who was quiet for ten minutes begins anew, and not earlier', () => {
  const { delays, guesses } = world()
  delays(6, () => ['10.0.0.5', 'joe'])
  assert.equal(guesses.wrong('10.0.0.5', 'joe', 600_000).delayMs, 500)
  assert.equal(guesses.wrong('10.0.0.5', 'joe', 1_200_001).delayMs, 0)
})

test('it is said once that it begins, for the address and for the name', () => {
  const { guesses } = world()
  const begins = (count: number, from: (index: number) => readonly [string, string]) =>
    Array.from({ length: count }, (_, index) => guesses.wrong(...from(index), 0).beginsFor).map(
      (what) => what ?? '-',
    )
  assert.deepEqual(
    begins(8, () => ['10.0.0.5', 'joe']),
    ['-', '-', '-', '-', '-', 'address', '-', '-'],
  )
  assert.deepEqual(
    begins(7, (index) => [`10.0.1.${index}`, 'jim']),
    ['-', '-', '-', '-', '-', 'name', '-'],
  )
})

test('as many addresses as guessersRemembered are remembered; of one more the one that was quiet longest begins anew', () => {
  setLimits({ guessersRemembered: 2 })
  const { guesses, counters } = world()
  let count = 0
  const fromAddress = (address: string) => guesses.wrong(address, `name ${count++}`, 0).fromAddress
  assert.deepEqual(['a', 'b', 'a', 'b'].map(fromAddress), [1, 1, 2, 2])
  assert.equal(counters.get('guessersRemembered'), 2) // two of the four names
  assert.deepEqual(['c', 'b', 'a'].map(fromAddress), [1, 3, 1])
})

for (const [address, network] of [
  ['192.168.1.5', '192.168.1.5'],
  ['unix', 'unix'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002:ffff::1', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['2001:db8:1:2::', '2001:db8:1:2::/64'],
] as const)
  test(`who guesses from ${address} is ${network}`, () => assert.equal(networkOf(address), network))
