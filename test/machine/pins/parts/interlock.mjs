import { connect, promise, setOf, sleep, statesAgree, watch } from '../kit.mjs'

const commands = 600
const deadTimeMs = 100

/** Four clients at once, with both QoS, retained messages, pulses, toggles. */
export async function prove() {
  const clients = await Promise.all([4, 5, 4, 5].map((protocolVersion) => connect({ protocolVersion })))
  const lines = watch()
  const storm = async (client) => {
    for (let count = 0; count < commands / clients.length; count++) {
      const pin = roll(2) === 0 ? 'up' : 'down'
      const more = { qos: roll(2), retain: roll(4) === 0 }
      if (roll(5) === 0) await client.publish('house/pulse/up', '', { qos: more.qos })
      else await client.publish(setOf(pin), ['on', 'on', 'on', 'off', 'toggle', 'blink'][roll(6)], more)
      if (roll(3) === 0) await sleep(roll(250))
    }
  }
  await Promise.all(clients.map(storm))
  for (const pin of ['up', 'down']) {
    await clients[0].publish(setOf(pin), '', { retain: true })
    await clients[0].set(pin, 'off')
  }
  await sleep(500)
  const [up, down] = [lines.edges('up'), lines.edges('down')]
  const rises = [...up, ...down].filter(({ level }) => level === 1).length
  lines.promise(
    'two interlocked outputs are never on together under a storm of commands',
    lines.both().length === 0 && rises > 20,
    ['up', 'down'],
    `${commands} commands of ${clients.length} clients, ${rises} times on, together ${lines.both().length} times`,
  )
  const gapsMs = [...gaps(up, down), ...gaps(down, up)]
  const shortestMs = Math.min(...gapsMs)
  promise(
    `and keep their dead time of ${deadTimeMs} ms`,
    gapsMs.length > 5 && shortestMs >= deadTimeMs,
    `the shortest of ${gapsMs.length}: ${shortestMs.toFixed(1)} ms at most`,
  )
  for (const client of clients) client.end()
  await statesAgree()
}

const roll = (sides) => Math.floor(Math.random() * sides)

/** From each fall of the other to this one's next rise: the longest that it can have been. */
function gaps(mine, other) {
  return mine
    .filter(({ level }) => level === 1)
    .flatMap((rise) => {
      const fall = other.findLast(({ level, afterMs }) => level === 0 && afterMs < rise.byMs)
      return fall === undefined ? [] : [rise.byMs - fall.afterMs]
    })
}
