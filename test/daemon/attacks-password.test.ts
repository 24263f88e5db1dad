import assert from 'node:assert/strict'
import { pbkdf2Sync } from 'node:crypto'
import { createConnection } from 'node:net'
import { type TestContext, test } from 'node:test'
import { as, attacker, ownAddress, passwordOf, usersText } from '../support/attacks.js'
import { startDaemon } from '../support/daemon.js'
import { connectBytes, WireClient } from '../support/wire-client.js'

const guesses = 1_000
const atOneTime = 400
const iterations = 2_000

test('a thousand wrong passwords from one address, four hundred at a time: each is refused, the rightful user comes in meanwhile, and nobody else waits', async (context) => {
  const names = ['ann', 'joe', 'tom']
  const daemon = await startDaemon(context, {
    env: 'ALLOW_ANONYMOUS=false',
    files: { 'config/users': usersText(names, iterations) },
  })
  const joe = await WireClient.connect(context, daemon.port)
  joe.send(connectBytes({ clientId: 'joe', username: 'joe', password: passwordOf('joe') }))
  await joe.next()
  const quiet = await pings(joe, 200)

  const address = ownAddress()
  const codes = new Map<number, number>()
  let begun = 0
  let done = 0
  const guesser = async (): Promise<void> => {
    while (begun < guesses) {
      const code = await guess(context, daemon.port, address, `guess${begun++}`)
      codes.set(code, (codes.get(code) ?? 0) + 1)
      done++
    }
  }
  const all = Promise.all(Array.from({ length: atOneTime }, guesser))
  while (done < 50) await pings(joe, 1)
  const busy = pings(joe, 200)
  await attacker(context, daemon.port, { ...as('ann'), address: ownAddress() })
  assert.ok(done < guesses, 'the guessing goes on')
  // from the address of the guessers the newest is next: one of them may have been newer
  const own = { ...as('tom'), address, connectTimeout: 500 }
  let attempts = 1
  while ((await attacker(context, daemon.port, own).catch(() => undefined)) === undefined) {
    attempts++
    assert.ok(done < guesses, `he comes in while they guess, not at attempt ${attempts}`)
  }
  assert.ok(done < guesses, 'the guessing goes on')
  const loud = await busy
  await all

  assert.equal(
    [...codes.values()].reduce((sum, count) => sum + count, 0),
    guesses,
  )
  assert.deepEqual(
    [...codes.keys()].filter((code) => code !== 4 && code !== 3),
    [],
    'each of them is refused: bad name or password, or server unavailable',
  )
  // were passwords verified in the event loop, every ping would wait for one of them at least
  const verification = verificationMs()
  const relation = `${loud} ms for a ping, ${quiet} ms before, ${verification} ms for a password`
  assert.ok(loud < Math.max(verification, 20 * quiet), relation)

  const refused = daemon.having('client refused').filter((line) => line['address'] === address)
  assert.ok(refused.length >= 1 && refused.length < 10, `${refused.length} lines`)
  assert.equal(refused[0]?.['user'], 'ann')
  assert.match(String(refused[0]?.['reason']), /wrong user name or password/)
  const slowed = daemon.having('many wrong passwords from one address: its refusals are slowed down')
  assert.deepEqual([slowed.length, slowed[0]?.level, slowed[0]?.['address']], [1, 'warn', address])
  assert.doesNotMatch(JSON.stringify(daemon.log), /guess\d/, 'no password in the log')
  await attacker(context, daemon.port, { ...as('ann'), address })
})

/** The return code of the CONNACK, whenever it comes. */
async function guess(
  context: TestContext,
  port: number,
  localAddress: string,
  password: string,
): Promise<number> {
  const socket = createConnection({ host: '127.0.0.1', port, localAddress })
  context.after(() => socket.destroy())
  socket.on('error', () => {})
  socket.write(connectBytes({ username: 'ann', password }))
  return await new Promise((resolve) => {
    socket.once('data', (chunk) => {
      resolve(chunk[3] as number)
      socket.destroy()
    })
    socket.once('close', () => resolve(-1))
  })
}

/** The median time of so many pings, one after the other, in milliseconds. */
async function pings(client: WireClient, count: number): Promise<number> {
  const took: number[] = []
  for (let sent = 0; sent < count; sent++) {
    const atMs = performance.now()
    client.send([0xc0, 0])
    await client.next()
    took.push(performance.now() - atMs)
  }
  return took.toSorted((one, other) => one - other)[count >> 1] as number
}

function verificationMs(): number {
  const atMs = performance.now()
  pbkdf2Sync('x', 'y', iterations, 64, 'sha512')
  return performance.now() - atMs
}
