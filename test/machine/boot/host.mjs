// The network beside the machine: boots it twice, once to install the service and once with it, and does what the second
// one asks of it: a line on the wire is a request, its answer is a file in the folder that the machine sees.
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import mqtt from 'mqtt'
import { boot } from '../bed/machine.mjs'

const login = { username: 'house', password: 'beside-the-lake', protocolVersion: 5 }

export async function play({ stage, machine }) {
  const root = join(stage, 'root.cow')
  const first = boot({ ...machine, root, script: 'job/run.sh install' })
  const code = await first.ended()
  first.clear()
  if (code !== 0) return code

  const booted = boot({ ...machine, root })
  let isOver = false
  const ended = booted.ended().then((result) => {
    isOver = true
    return result
  })
  const answers = requests(join(stage, 'inside'))
  let done = 0
  while (!isOver) {
    const asked = booted.wire().split('\n').slice(0, -1)
    while (done < asked.length) {
      const [number, name, ...args] = JSON.parse(asked[done++])
      void answers[name](...args).then((answer) => {
        writeFileSync(join(booted.host, `answer-${number}`), JSON.stringify(answer))
      })
    }
    await sleep(50)
  }
  booted.clear()
  answers.forget()
  return ended
}

function requests(tree) {
  let kept
  const log = []
  return {
    /** One message by a client that comes and goes. */
    async message(address, topic, payload) {
      const client = mqtt.connect({ ...login, host: address, reconnectPeriod: 0, connectTimeout: 4_000 })
      try {
        await new Promise((resolve, reject) => {
          client.once('connect', resolve)
          client.once('error', reject)
          client.once('close', () => reject(new Error('closed')))
          setTimeout(() => reject(new Error('no connection in 4 s')), 4_000).unref()
        })
        await client.publishAsync(topic, payload, { qos: 1 })
        return { isOk: true }
      } catch (error) {
        return { isOk: false, why: error.message }
      } finally {
        client.end(true)
      }
    },
    /** A client that stays, and comes again by itself. */
    async stay(address) {
      kept = mqtt.connect({ ...login, host: address, reconnectPeriod: 500, keepalive: 60 })
      for (const event of ['connect', 'close']) kept.on(event, () => log.push(event))
      kept.on('message', (topic) => log.push(topic))
      await new Promise((resolve) => kept.once('connect', resolve))
      await kept.subscribeAsync('house/said', { qos: 1 })
      return true
    },
    async log() {
      return log
    },
    async leave() {
      await kept.endAsync(true)
      return true
    },
    /** What a search of the network finds. */
    discover: () =>
      new Promise((resolve) => {
        execFile(process.execPath, [join(tree, 'dist/main.js'), 'discover', '--json'], (_, stdout, stderr) =>
          resolve(`${stdout}${stderr}`.trim()),
        )
      }),
    forget: () => kept?.end(true),
  }
}
