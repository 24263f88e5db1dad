import { base, connect, nowMs, promise, pull, setOf, sleep, until, watch } from '../kit.mjs'

export async function prove() {
  const client = await connect()
  await bounces(client)
  await presses(client)
  await counts(client)
  client.end()
}

/** As a contact does: to and fro for some milliseconds, then where it stays. */
function bounce(pin, direction) {
  const other = direction === 'up' ? 'down' : 'up'
  for (const next of [direction, other, direction, other, direction, other, direction]) {
    pull(pin, next)
    const beginMs = nowMs()
    while (nowMs() - beginMs < 1.5); // a pause that is asked for may last much longer
  }
}

async function bounces(client) {
  promise('no edge is told before there is one', !client.all.some((text) => text.startsWith('home/door')))
  const lines = watch()
  for (const direction of ['down', 'up', 'down', 'up']) {
    bounce('door', direction)
    await sleep(400)
  }
  const edges = () => client.all.filter((text) => text.startsWith('home/door'))
  await until((all) => all.length >= 4, edges)
  lines.promise(
    'a bouncing contact is one edge each time it is moved',
    edges().join(', ') === 'home/door on, home/door off, home/door on, home/door off',
    ['door'],
    edges().join(', '),
  )
  const state = () => client.state('door')
  promise('and its state agrees', (await until((text) => text === 'off', state)) === 'off')
  const short = watch()
  pull('door', 'down')
  pull('door', 'up')
  await sleep(300)
  short.promise('less than the debounce is none', edges().length === 4, ['door'])
}

async function presses(client) {
  const told = () =>
    client.all.filter((text) => text.startsWith(`${base}/pins/bell/press`)).map((text) => text.split(' ')[1])
  const press = async (ms) => {
    bounce('bell', 'down')
    await sleep(ms)
    bounce('bell', 'up')
  }
  const lines = watch()
  await press(150)
  await until((words) => words.length === 1, told)
  await press(1_400)
  await sleep(900)
  await press(100)
  await sleep(100)
  await press(100)
  await until((words) => words.length === 3, told)
  await sleep(900)
  lines.promise(
    'a bouncing button: short, long and double presses',
    told().join(' ') === 'short long double',
    ['bell'],
    told().join(', '),
  )
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
