// Other people's clients, in the ledger like our own: MQTT.js, mosquitto_pub and mosquitto_sub, paho.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import mqtt from 'mqtt'

const everyMs = 500
const covers = (topic) => topic.startsWith('house/load/')

/** paho only where it is installed. */
export async function startGuests(house, ledger) {
  const guests = [await mqttJs(house, ledger), await mosquitto(house, ledger)]
  for (const python of ['/usr/bin/python3', 'python3'])
    if (await runs(python, ['-c', 'import paho.mqtt.client'])) {
      guests.push(await paho(python, house, ledger))
      break
    }
  return guests
}

/** It reads over WebSocket with MQTT 5, and publishes over TLS with 3.1.1. */
async function mqttJs({ urls }, ledger) {
  ledger.reader('MQTT.js', { qos: 2, covers, isThere: () => reader.connected })
  const kept = { clean: false, reconnectPeriod: 1_000, resubscribe: false }
  const reader = mqtt.connect(urls.ws, {
    ...kept,
    clientId: 'guest-mqttjs',
    protocolVersion: 5,
    properties: { sessionExpiryInterval: 0xffff_ffff },
  })
  const publisher = mqtt.connect(urls.tls, {
    ...kept,
    clientId: 'guest-mqttjs-pub',
    rejectUnauthorized: false,
  })
  for (const client of [reader, publisher]) client.on('error', () => {}) // it connects again
  reader.on('message', (topic, payload) => ledger.heard('MQTT.js', topic, numberIn(payload)))
  await Promise.all([reader, publisher].map((client) => client.connected || once(client, 'connect')))
  await reader.subscribeAsync('house/load/#', { qos: 2 })
  let unanswered = 0
  const loop = turns((turn) => {
    if (!publisher.connected || unanswered > 50) return
    const qos = turn % 3
    const topic = `house/load/mqttjs/${qos}`
    const number = ledger.next(topic, qos)
    if (qos === 0) return void publisher.publish(topic, `${number}`)
    unanswered++
    publisher.publish(topic, `${number}`, { qos }, (error) => {
      unanswered--
      if (error) ledger.unsure(topic, number)
      else ledger.acknowledged(topic, number)
    })
  })
  return {
    name: 'MQTT.js',
    run: loop.run,
    end: loop.end,
    unanswered: () => unanswered,
    stop: () => {
      for (const client of [reader, publisher]) client.end(true)
    },
  }
}

/** One reader that stays, which may be frozen; each message is published by a program of its own. */
async function mosquitto({ port }, ledger) {
  ledger.reader('mosquitto_sub', { qos: 1, covers })
  const argv = [
    '-p',
    `${port}`,
    '-i',
    'guest-mosquitto',
    '-c',
    '-q',
    '1',
    '-k',
    '60',
    '-t',
    'house/load/#',
    '-F',
    '%t %p',
  ]
  const reader = attend('mosquitto_sub', argv, (line) => {
    const [topic, number] = line.split(' ')
    ledger.heard('mosquitto_sub', topic, Number(number))
  })
  await sleep(1_000) // it does not tell when it has subscribed
  let running = 0
  const loop = turns(async (turn) => {
    if (turn % 4 !== 0 || running > 4) return
    const qos = 1 + ((turn / 4) % 2)
    const topic = `house/load/mosquitto/${qos}`
    const number = ledger.next(topic, qos)
    running++
    const isTaken = await runs('mosquitto_pub', [
      '-p',
      `${port}`,
      '-q',
      `${qos}`,
      '-t',
      topic,
      '-m',
      `${number}`,
    ])
    running--
    if (isTaken) ledger.acknowledged(topic, number)
    else ledger.unsure(topic, number)
  })
  return {
    name: 'mosquitto_sub',
    run: loop.run,
    end: loop.end,
    unanswered: () => running,
    stop: () => reader.kill('SIGKILL'),
    freeze: () => reader.kill('SIGSTOP'),
    thaw: () => reader.kill('SIGCONT'),
    pid: reader.pid,
  }
}

async function paho(python, { port }, ledger) {
  ledger.reader('paho', { qos: 2, covers })
  const topic = 'house/load/paho/1'
  let ready
  const isReady = new Promise((resolve) => {
    ready = resolve
  })
  let unanswered = 0
  const argv = [join(import.meta.dirname, 'paho-client.py'), `${port}`, 'house/load/#', topic]
  const client = attend(python, argv, (line) => {
    const [word, first, second] = line.split(' ')
    if (word === 'ready') return ready()
    if (word === 'got') return ledger.heard('paho', first, Number(second))
    unanswered--
    ledger.acknowledged(topic, Number(first))
  })
  await isReady
  const loop = turns(() => {
    if (unanswered > 50) return
    unanswered++
    client.stdin.write(`${ledger.next(topic, 1)}\n`)
  })
  return {
    name: 'paho',
    run: loop.run,
    end: loop.end,
    unanswered: () => unanswered,
    stop: () => client.stdin.end(),
  }
}

/** Something done again and again. */
function turns(act) {
  let isOn = true
  let running
  return {
    run: () => {
      running = (async () => {
        for (let turn = 0; isOn; turn++) {
          act(turn)
          await sleep(everyMs)
        }
      })()
    },
    end: async () => {
      isOn = false
      await running
    },
  }
}

function attend(program, argv, onLine) {
  const child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'ignore'] })
  child.stdin.on('error', () => {}) // it has ended
  createInterface(child.stdout).on('line', onLine)
  const end = () => child.kill('SIGKILL')
  process.once('exit', end)
  child.once('exit', () => process.off('exit', end))
  return child
}

/** @returns whether it ended well */
function runs(program, argv) {
  return new Promise((resolve) => {
    execFile(program, argv, { timeout: 20_000 }, (error) => resolve(error === null))
  })
}

function numberIn(payload) {
  return Number(`${payload}`.split(' ', 1)[0])
}
