// What the promises are proved with: commands, the unit's properties, the journal, lines of the chip, MQTT clients.
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import mqtt from 'mqtt'

export { sleep }

let failures = 0

/** One line a promise: whether it holds, and what was measured. */
export function promise(text, holds, measured = '') {
  if (!holds) failures++
  const shown = String(measured).trim().replaceAll('\n', ' | ')
  console.log(`${holds ? '✔' : '✖'} ${text}${shown === '' ? '' : `: ${shown}`}`)
}

export function end() {
  console.log(failures === 0 ? 'every promise holds' : `${failures} promises do not hold`)
  process.exit(failures === 0 ? 0 : 1)
}

/** Runs a program. @returns its exit code, and its two outputs as one text */
export function sh(program, ...args) {
  return new Promise((resolve) => {
    execFile(program, args, { cwd: '/', timeout: 90_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? -1), stdout, text: `${stdout}${stderr}`.trim() })
    })
  })
}

export const systemctl = (...args) => sh('systemctl', ...args)
export const damselfly = (...args) => sh('damselfly', ...args)

export async function property(name) {
  return (await systemctl('show', 'damselfly', `--property=${name}`, '--value')).text
}

/** Asks until it is so. @returns what was found last */
export async function until(isSo, find, seconds = 10) {
  const stop = Date.now() + seconds * 1_000
  for (;;) {
    const found = await find()
    if (isSo(found) || Date.now() > stop) return found
    await sleep(50)
  }
}

/** The first line of the journal since a time (ms) that has this text, waited for; '' when it does not come. */
export function journal(text, since, seconds = 10) {
  const find = async () => {
    const { stdout } = await sh(
      'journalctl',
      '-u',
      'damselfly',
      '-o',
      'cat',
      '--no-pager',
      `--since=@${since / 1_000}`,
    )
    return stdout.split('\n').find((line) => line.includes(text)) ?? ''
  }
  return until((line) => line !== '', find, seconds)
}

/** A drop-in of the unit; systemd is told. */
export async function dropIn(name, text) {
  mkdirSync('/etc/systemd/system/damselfly.service.d', { recursive: true })
  writeFileSync(`/etc/systemd/system/damselfly.service.d/${name}.conf`, `[Service]\n${text}\n`)
  await systemctl('daemon-reload')
}

const folder = (line) => `${process.env.PI}/sim_gpio${line}`

/** What the line is now, driven by whoever holds it or pulled: '0' or '1'. */
export const level = (line) => readFileSync(`${folder(line)}/value`, 'utf8').trim()

/** Moves an input from outside; edges need some time between them there. */
export async function pull(line, direction) {
  writeFileSync(`${folder(line)}/pull`, `pull-${direction}`)
  await sleep(200)
}

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
