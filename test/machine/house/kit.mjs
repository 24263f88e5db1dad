// What the promises of the house are proved with beside ../proof.mjs: lines of the chip, MQTT clients.
import { readFileSync } from 'node:fs'
import mqtt from 'mqtt'
import { until } from '../proof.mjs'

export * from '../proof.mjs'

const folder = (line) => `${process.env.PI}/sim_gpio${line}`

/** What the line is now, driven by whoever holds it or pulled: '0' or '1'. */
export const level = (line) => readFileSync(`${folder(line)}/value`, 'utf8').trim()

/** Logs each change of a line, looked at every 20 ms. Times are in ms from now on. */
export function watchLevel(line) {
  const begin = Date.now()
  const changes = [{ atMs: 0, value: level(line) }]
  const timer = setInterval(() => {
    const value = level(line)
    if (value !== changes.at(-1).value) changes.push({ atMs: Date.now() - begin, value })
  }, 20)
  return {
    changes,
    text: () => `GPIO${line} ${changes.map(({ atMs, value }) => `${value} at ${atMs} ms`).join(', ')}`,
    stop: () => clearInterval(timer),
  }
}

/** A client of the broker; `seen` has the last payload of each topic, `all` every message. Undefined when refused. */
export async function connect(options = {}) {
  const client = mqtt.connect({ host: '127.0.0.1', protocolVersion: 4, reconnectPeriod: 0, ...options })
  const seen = {}
  const all = []
  client.on('message', (topic, payload, { retain }) => {
    seen[topic] = `${payload}`
    all.push(`${topic} ${payload}${retain ? ' (retained)' : ''}`)
  })
  const isIn = await new Promise((resolve) => {
    client.once('connect', () => resolve(true))
    for (const event of ['error', 'close']) client.on(event, () => resolve(false))
  })
  if (!isIn) return undefined
  await client.subscribeAsync('#')
  return {
    seen,
    all,
    publish: (topic, payload) => client.publishAsync(topic, payload, { qos: 1 }),
    /** The next payload on a topic, after a message; undefined when none comes. */
    async answer(topic, to, payload) {
      delete seen[topic]
      await client.publishAsync(to, payload, { qos: 1 })
      return until(
        (text) => text !== undefined,
        () => seen[topic],
        15,
      )
    },
    end: () => client.end(true),
  }
}
