import { base, connect, nowMs, promise, pull, setOf, sleep, until, watch } from '../kit.mjs'

export async function prove() {
  const client = await connect()
  await bounces(client)
  await presses(client)
  await counts(client)
  client.end()
}

let longestMs = 0

/** As a contact does: to and fro for some milliseconds, then where it stays. */
function bounce(pin, direction) {
  const other = direction === 'up' ? 'down' : 'up'
  for (const next of [direction, other, direction, other, direction, other, direction]) {
    const beginMs = nowMs()
    pull(pin, next)
    while (nowMs() - beginMs < 1.5); // a pause that is asked for may last much longer
    longestMs = Math.max(longestMs, nowMs() - beginMs)
  }
}

/** Waits, and notes how much longer it took. */
async function pause(ms) {
  const beginMs = nowMs()
  await sleep(ms)
  longestMs = Math.max(longestMs, nowMs() - beginMs - ms)
}

/** Where the machine itself stood still, the wave was another one than was meant: then it is made again. */
async function wave(make) {
  for (let tries = 0; tries < 8; tries++) {
    longestMs = 0
    const lines = watch()
    await make()
    if (longestMs < 25) return lines
    await sleep(1_000)
  }
  throw new Error(`the machine stands still all the time, the last time for ${longestMs} ms`)
}

async function bounces(client) {
  promise('no edge is told before there is one', !client.all.some((text) => text.startsWith('home/door')))
  const edges = () => client.all.filter((text) => text.startsWith('home/door')).join(', ')
  const wanted = 'home/door on, home/door off, home/door on, home/door off'
  const lines = await wave(async () => {
    client.all.length = 0
    for (const direction of ['down', 'up', 'down', 'up']) {
      bounce('door', direction)
      await sleep(300)
    }
  })
  await until((text) => text.length >= wanted.length, edges)
  lines.promise('a bouncing contact is one edge each time it is moved', edges() === wanted, ['door'], edges())
  const state = () => client.state('door')
  promise('and its state agrees', (await until((text) => text === 'off', state)) === 'off')
  const short = await wave(async () => {
    client.all.length = 0
    bounce('door', 'down')
    pull('door', 'up')
    await sleep(300)
  })
  short.promise('less than the debounce is none', edges() === '', ['door'])
}

async function presses(client) {
  const told = () =>
    client.all
      .filter((text) => text.startsWith(`${base}/pins/bell/press`))
      .map((text) => text.split(' ')[1])
      .join(' ')
  const press = async (ms) => {
    bounce('bell', 'down')
    await pause(ms)
    bounce('bell', 'up')
  }
  const wanted = 'short long double'
  const lines = await wave(async () => {
    await sleep(1_000)
    client.all.length = 0
    await press(150)
    await sleep(1_000)
    await press(1_300)
    await sleep(1_000)
    await press(100)
    await pause(150)
    await press(100)
  })
  await until((text) => text.length >= wanted.length, told)
  await sleep(1_000)
  lines.promise('a bouncing button: short, long and double presses', told() === wanted, ['bell'], told())
}

async function pulse(count) {
  for (let done = 0; done < count; done++)
    for (const direction of ['down', 'up']) {
      pull('water', direction)
      await sleep(25)
    }
}

async function counts(client) {
  const lines = watch()
  const told = () => client.seen['home/water'] ?? ''
  await pulse(50)
  const message = await until((text) => text.includes('"pulses":50'), told)
  const total = await until(
    (text) => text === '25',
    () => client.state('water'),
  )
  lines.promise(
    'a counter has each pulse once',
    message.includes('"total":25,') && total === '25',
    ['water'],
    `50 pulses of 0.5: ${message}, state ${total}`,
  )
  await client.publish(setOf('water'), '1000')
  await until(
    (text) => text === '1000',
    () => client.state('water'),
  )
  await pulse(7)
  const after = await until(
    (text) => text === '1003.5',
    () => client.state('water'),
  )
  promise('an aligned one goes on from there', after === '1003.5', `1000, and 7 pulses: ${after}; ${told()}`)
}
