// The clients of the house: programs that people have, and one that speaks MQTT 3.1.1 as a small device does. None is told
// of the move; each comes back by itself.
import { spawn } from 'node:child_process'
import { connect as connectSocket } from 'node:net'
import { createInterface } from 'node:readline'
import mqtt from 'mqtt'
import { sh, until } from '../proof.mjs'

export const passwordOf = (user) => `${user}'s secret`
const certs = '/etc/mosquitto/certs'
const filters = ['home/#', 'devices/#']

/** @returns each client with its user and what it has heard, a line a message: `TOPIC PAYLOAD` */
export function startClients() {
  const named = (user) => ['-u', user, '-P', passwordOf(user)]
  const cafile = ['--cafile', `${certs}/ca.crt`]
  const certificate = ['--cert', `${certs}/fleet.crt`, '--key', `${certs}/fleet.key`]
  const ways = [
    ['mosquitto_sub', 'lamp', subscriber('sub-plain', 1883, named('lamp'))],
    ['mosquitto_sub, TLS', 'panel', subscriber('sub-tls', 8883, [...named('panel'), ...cafile])],
    ['mosquitto_sub, certificate', 'fleet', subscriber('sub-cert', 8884, [...cafile, ...certificate])],
    ['paho, WebSocket', 'panel', paho('paho', 'panel')],
    ['MQTT.js', 'lamp', library('js', 'lamp')],
    ['raw 3.1.1', 'esp', device('esp-1', 'esp')],
  ]
  return ways.map(([name, user, heard]) => ({ name, user, heard }))
}

/** Publishes to everybody and to each user. @returns what is not as the access control list has it, nothing when all is */
export async function round(clients, label, seconds = 40) {
  await publish('lamp', 'home/round', `forged-${label}`)
  const users = [...new Set(clients.map(({ user }) => user))]
  for (const user of users) await publish('owner', `devices/${user}/round`, label)
  await publish('owner', 'home/round', label)
  const wrong = []
  for (const { name, user, heard } of clients) {
    const wanted = [`devices/${user}/round ${label}`, `home/round ${label}`]
    const lacks = () => wanted.filter((line) => !heard.includes(line))
    const missing = await until((lines) => lines.length === 0, lacks, seconds)
    const others = heard.filter((line) => line.endsWith(label) && !wanted.includes(line))
    wrong.push(
      ...missing.map((line) => `${name} lacks ${line}`),
      ...others.map((line) => `${name} got ${line}`),
    )
  }
  return wrong
}

/** Publishes again and again until the clients have come back. @returns as `round` */
export async function roundOnceBack(clients, label) {
  for (let turn = 1; ; turn++) {
    const wrong = await round(clients, `${label}-${turn}`, 4)
    if (turn === 10 || wrong.length === 0) return wrong
  }
}

const publish = (user, topic, payload) =>
  sh('mosquitto_pub', '-u', user, '-P', passwordOf(user), '-q', '1', '-t', topic, '-m', payload)

function subscriber(id, port, more) {
  const topics = filters.flatMap((filter) => ['-t', filter])
  return linesOf('mosquitto_sub', [
    '-h',
    'localhost',
    '-p',
    port,
    '-i',
    id,
    '-q',
    1,
    '-v',
    ...topics,
    ...more,
  ])
}

const paho = (id, user) =>
  linesOf('python3', ['/job/job/listen.py', '127.0.0.1', 9001, id, user, passwordOf(user), ...filters])

function linesOf(program, words) {
  const heard = []
  const child = spawn(program, words.map(String), { stdio: ['ignore', 'pipe', 'inherit'] })
  createInterface({ input: child.stdout }).on('line', (line) => heard.push(line))
  child.on('exit', (code) => heard.push(`ended with ${code}`))
  process.on('exit', () => child.kill())
  return heard
}

function library(clientId, username) {
  const heard = []
  const options = {
    clientId,
    username,
    password: passwordOf(username),
    protocolVersion: 5,
    reconnectPeriod: 500,
  }
  const client = mqtt.connect('mqtt://127.0.0.1:1883', options)
  client.on('connect', () => client.subscribe(filters, { qos: 1 }))
  client.on('message', (topic, payload) => heard.push(`${topic} ${payload}`))
  client.on('error', (error) => heard.push(String(error)))
  return heard
}

/** CONNECT, SUBSCRIBE and PINGREQ as bytes; it connects again a second after the connection ends. */
function device(id, user) {
  const heard = []
  const text = (word) =>
    Buffer.concat([Buffer.from([word.length >> 8, word.length & 0xff]), Buffer.from(word)])
  const packet = (first, body) => Buffer.concat([Buffer.from([first, body.length]), body])
  const flags = Buffer.from([4, 0xc2, 0, 20]) // MQTT 3.1.1; name, password, clean session; keep alive 20 s
  const hello = packet(
    0x10,
    Buffer.concat([text('MQTT'), flags, text(id), text(user), text(passwordOf(user))]),
  )
  const topics = filters.map((filter) => Buffer.concat([text(filter), Buffer.from([0])]))
  const open = () => {
    const socket = connectSocket(1883, '127.0.0.1', () => socket.write(hello))
    const ping = setInterval(() => socket.write(Buffer.from([0xc0, 0])), 10_000)
    let rest = Buffer.alloc(0)
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes])
      while (rest.length >= 2 && rest.length >= 2 + rest[1]) {
        const [type, body] = [rest[0] >> 4, rest.subarray(2, 2 + rest[1])]
        rest = rest.subarray(2 + body.length)
        if (type === 2 && body[1] === 0)
          socket.write(packet(0x82, Buffer.concat([Buffer.from([0, 1]), ...topics])))
        else if (type === 2) heard.push(`refused ${body[1]}`)
        else if (type === 3) {
          const end = 2 + body.readUInt16BE(0)
          heard.push(`${body.subarray(2, end)} ${body.subarray(end)}`)
        }
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearInterval(ping)
      setTimeout(open, 1_000)
    })
  }
  open()
  return heard
}
