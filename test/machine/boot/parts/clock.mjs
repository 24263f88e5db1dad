import { connect, dropIn, promise, property, sh, sleep, systemctl, until } from '../../service.mjs'
import { lamp, lampIs } from './start.mjs'

/** A Pi has no clock of its own: it starts with a time of the past, and is set right in one step. */
export async function clock() {
  await dropIn('watchdog', 'WatchdogSec=5')
  await systemctl('restart', 'damselfly')
  const pid = await property('MainPID')
  for (const [name, by] of [
    ['forward by ten years', 10 * 365 * 86_400],
    ['back by twenty', -20 * 365 * 86_400],
    ['forward again', 10 * 365 * 86_400],
  ])
    await step(name, by)
  const now = await property('MainPID')
  promise(
    'the watchdog has seen nothing of it',
    now === pid && (await property('NRestarts')) === '0',
    `process ${now}`,
  )
  await dropIn('watchdog', '')
  await jumpedOver()
}

/** In the morning it was 06:00 until the network told that it is 14:00. */
async function jumpedOver() {
  const right = Date.now() - performance.now()
  await sh('date', '-s', '06:00')
  await systemctl('restart', 'damselfly') // so that it waits for this day's 07:30
  const client = await connect()
  await sh('date', '-s', '14:00')
  const done = await until(
    (text) => text !== undefined,
    () => client.seen['house/morning'],
    35, // within half a minute a timer sees that the clock was set
  )
  promise(
    'what was to be done at 07:30, when it was 06:00 and is 14:00 now, is not done',
    done === undefined,
    done,
  )
  await sh('date', '-s', '07:29:20')
  await systemctl('restart', 'damselfly')
  const morning = await connect()
  const late = await until(
    (text) => text !== undefined,
    () => morning.seen['house/morning'],
    60,
  )
  promise('at 07:30 it is', /T07:30:0/.test(late ?? ''), late)
  for (const each of [client, morning]) each.end()
  await sh('date', '-s', `@${Math.floor((right + performance.now()) / 1_000)}`)
}

async function step(name, bySeconds) {
  const id = `away${bySeconds}`
  await leaveSomething(id)
  const client = await connect()
  await client.publish('home/lamp/while', '')
  await lampIs('1')
  const onMs = performance.now()
  const ticks = client.all.filter((text) => text.startsWith('house/tick')).length
  const set = await sh('date', '-s', `@${Math.floor(Date.now() / 1_000) + bySeconds}`)
  await sleep(1_500)
  const soon = lamp()
  const gone = await lampIs('0', 15)
  const lastedMs = performance.now() - onMs
  promise(
    `${name}: \`for: 6s\` is six seconds`,
    soon === '1' && gone === '0' && lastedMs > 4_500 && lastedMs < 9_000,
    `${set.text}; ${Math.round(lastedMs)} ms`,
  )
  await sleep(2_000)
  const since = client.all.filter((text) => text.startsWith('house/tick')).length - ticks
  const overMs = performance.now() - onMs
  promise(
    `${name}: \`every: 2s\` goes on as before`,
    Math.abs(since - overMs / 2_000) <= 1.5,
    `${since} in ${Math.round(overMs / 1_000)} s`,
  )
  const told = client.seen['house/clock']
  client.end()
  const later = await connect({
    clientId: id,
    clean: false,
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 3_600 },
  })
  const kept = await until(
    (seen) => seen['house/waits'] !== undefined && seen['house/kept'] !== undefined,
    () => later.seen,
    5,
  )
  promise(
    `${name}: what may be kept for an hour is: a session, a message in it, a retained one`,
    kept['house/waits'] === id && kept['house/kept'] === id,
    JSON.stringify(kept),
  )
  const due = await until(
    (text) => text !== undefined && text !== told,
    () => later.seen['house/clock'],
    20,
  )
  promise(
    `${name}: \`at:\` goes by the clock as it is now`,
    due !== undefined && due.slice(0, 4) === new Date().toISOString().slice(0, 4),
    due,
  )
  later.end()
}

/** A session that is away, with a message in it, and a retained message; each may be kept for an hour. */
async function leaveSomething(id) {
  const settings = { protocolVersion: 5, properties: { sessionExpiryInterval: 3_600 } }
  const away = await connect({ ...settings, clientId: id, clean: false })
  away.end()
  const client = await connect({ protocolVersion: 5 })
  const properties = { messageExpiryInterval: 3_600 }
  await client.publish('house/waits', id, { properties })
  await client.publish('house/kept', id, { retain: true, properties })
  client.end()
}
