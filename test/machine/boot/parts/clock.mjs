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
  const second = Number(due?.slice(17, 19)) % 10
  promise(
    `${name}: \`at:\` goes by the clock as it is now`,
    due !== undefined && second < 3 && due.slice(0, 4) === new Date().toISOString().slice(0, 4),
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
