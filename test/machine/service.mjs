// What the installed service is proved with beside proof.mjs: clients, a shell under the unit, its log line by line.
import { readFileSync } from 'node:fs'
import mqtt from 'mqtt'
import { promise, sh, until } from './proof.mjs'

export * from './proof.mjs'

/**
 * A client of the broker that hears everything unless told; `seen` has the last payload of each topic, `all` every message.
 * Undefined when it is refused.
 */
export async function connect({ filter = '#', ...options } = {}) {
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
  await client.subscribeAsync(filter, { qos: 1 })
  return {
    seen,
    all,
    isConnected: () => client.connected,
    publish: (topic, payload, settings = {}) => client.publishAsync(topic, payload, { qos: 1, ...settings }),
    /** The next payload on a topic, after a message; undefined when none comes. */
    async answer(topic, to, payload, seconds = 15) {
      delete seen[topic]
      await client.publishAsync(to, payload, { qos: 1 })
      return until(
        (text) => text !== undefined,
        () => seen[topic],
        seconds,
      )
    },
    end: () => client.end(true),
  }
}

/** What a program under the unit says to lines of shell; needs the rule `shell` of the jobs' configurations. */
export const shell = (client, script, seconds) =>
  client.answer('house/said', 'house/shell', `{ ${script}\n} 2>&1; true`, seconds)

/**
 * The parts of a job follow one another on one machine; a failed one is told and the rest goes on. `--only=NAME,NAME`
 * plays these alone.
 */
export async function play(parts) {
  const only = process.argv.find((arg) => arg.startsWith('--only='))?.slice('--only='.length)
  for (const [name, prove] of Object.entries(parts)) {
    if (only !== undefined && !only.split(',').includes(name)) continue
    console.log(`\n${name}`)
    try {
      await prove()
    } catch (error) {
      promise(`${name} went through`, false, error.stack)
    }
  }
}

/** The journal's entries of the unit since a time (ms), each with its fields. */
export async function entries(since, ...matches) {
  const { stdout } = await sh(
    ...['journalctl', '-u', 'damselfly', '-o', 'json', '--no-pager', `--since=@${since / 1_000}`],
    ...matches,
  )
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

/** A line of /proc/PID/status of the daemon, without its name. */
export async function processStatus(pid, name) {
  return new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? ''
}

/** Resolves with what the control socket answers to `damselfly status --json`. */
export async function status() {
  const { stdout } = await sh('damselfly', 'status', '--json')
  return JSON.parse(stdout)
}
