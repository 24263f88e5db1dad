// Clients that connect, misbehave in a way drawn by lot, and vanish; then others take their place. A program of its own:
//   node bench/soak/vandals.mjs PORT COUNT SECONDS [--storm]   so many at a time; tells its parent { done, early } at the end
// With --storm all they do is to connect and go.
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectPacket, packet, publishPacket, subscribePacket } from '../mqtt-wire.mjs'

const stayMsMax = 3_000
const noise = 'soak/noise'
/** So few that they take each other's place all the time. */
const contestedIds = 20
/** Sessions that outlive their connections. */
const keptIds = 200

/** What each does after the connection is made; it vanishes some time later. */
const ways = {
  storm: (socket) => socket.write(anyConnect()),
  silence: () => {},
  'garbage at once': (socket) => socket.write(randomBytes(1 + random(2_000))),
  'garbage after CONNECT': (socket) =>
    socket.write(Buffer.concat([anyConnect(), randomBytes(1 + random(2_000))])),
  'half a CONNECT': (socket) => socket.write(half(anyConnect())),
  'half a PUBLISH': (socket) => socket.write(Buffer.concat([anyConnect(), half(anyPublish())])),
  'PUBLISH before CONNECT': (socket) => socket.write(Buffer.concat([anyPublish(), anyConnect()])),
  'CONNECT twice': (socket) => socket.write(Buffer.concat([anyConnect(), anyConnect()])),
  'acknowledging what was never sent': (socket) =>
    socket.write(
      Buffer.concat([
        anyConnect(),
        ...[0x40, 0x50, 0x62, 0x70].map((first) => packet(first, randomBytes(2))),
      ]),
    ),
  'a bit turned': (socket) =>
    socket.write(turned(Buffer.concat([anyConnect(), subscription(), anyPublish()]))),
  'a huge length': (socket) =>
    socket.write(
      Buffer.concat([anyConnect(), Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f]), randomBytes(1_000)]),
    ),
  'a huge length at once': (socket) => socket.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f])),
  'byte after byte': async (socket) => {
    for (const byte of Buffer.concat([anyConnect(), subscription()])) {
      socket.write(Buffer.from([byte]))
      await sleep(random(20))
    }
  },
  'subscribing and never reading': (socket) => {
    socket.pause()
    socket.write(Buffer.concat([anyConnect(), subscribePacket([noise], random(3))]))
  },
  'QoS 1 and 2 without an answer': (socket) =>
    socket.write(Buffer.concat([anyConnect(), ...Array.from({ length: 50 }, anyPublish)])),
  flooding: (socket) =>
    socket.write(
      Buffer.concat([
        anyConnect(),
        ...Array.from({ length: 500 }, () => publishPacket(noise, randomBytes(100))),
      ]),
    ),
  'a will': (socket) =>
    socket.write(connectPacket(anyId(), { will: { topic: `soak/will/${random(100)}`, payload: 'gone' } })),
  'a wrong password': (socket) => socket.write(connectPacket(anyId(), { user: ['kitchen', 'guessed'] })),
  "another's id": (socket) => socket.write(connectPacket(`soak-contested-${random(contestedIds)}`)),
  'a session left behind': (socket) => {
    const id = `soak-kept-${random(keptIds)}`
    socket.write(Buffer.concat([connectPacket(id, { clean: false, level: 4 + random(2) }), subscription()]))
  },
  'many subscriptions': (socket) => {
    const filters = Array.from({ length: 200 }, () => `soak/+/${random(10_000)}/#`)
    socket.write(Buffer.concat([anyConnect(), subscribePacket(filters, random(3))]))
  },
}

const [port, count, seconds] = process.argv.slice(2, 5).map(Number)
const names = process.argv.includes('--storm')
  ? ['storm']
  : Object.keys(ways).filter((name) => name !== 'storm')
process.once('disconnect', () => process.exit())
process.send(await misbehaveFor(count, seconds))
process.disconnect()

async function misbehaveFor(count, seconds) {
  const done = Object.fromEntries(names.map((name) => [name, 0]))
  let early = 0
  const untilMs = performance.now() + seconds * 1_000
  const lane = async () => {
    await sleep(random(Math.min(1_000, seconds * 500)))
    while (performance.now() < untilMs) {
      const name = names[random(names.length)]
      const stayMs = name === 'storm' ? 20 : Math.min(stayMsMax, seconds * 200)
      if (await misbehave(port, ways[name], stayMs)) done[name]++
      else early++
    }
  }
  await Promise.all(Array.from({ length: count }, lane))
  return { done, early }
}

/** @returns whether there was a connection */
async function misbehave(port, way, stayMs) {
  const socket = createConnection({ port, host: '127.0.0.1' })
  let isConnected = false
  socket.on('error', () => {}) // 'close' follows
  const closed = once(socket, 'close')
  socket.once('connect', () => {
    isConnected = true
    socket.resume()
    way(socket)
  })
  await Promise.race([closed, sleep(random(stayMs))])
  if (random(2) === 0) socket.resetAndDestroy()
  else socket.destroy()
  await closed
  return isConnected
}

function anyConnect() {
  return connectPacket(anyId(), { level: 4 + random(2) })
}

/** MQTT 3.1.1, and so malformed after a CONNECT of MQTT 5 now and then. */
function anyPublish() {
  return publishPacket(noise, randomBytes(random(200)), { qos: random(3), retain: random(10) === 0 })
}

function subscription() {
  return subscribePacket([`soak/kept/${random(1_000)}`], random(3))
}

function anyId() {
  return `soak-${random(1_000_000)}`
}

function half(bytes) {
  return bytes.subarray(0, 1 + random(bytes.length - 1))
}

function turned(bytes) {
  bytes[random(bytes.length)] ^= 1 << random(8)
  return bytes
}

function randomBytes(count) {
  return Buffer.from(Array.from({ length: count }, () => random(256)))
}

/** 0 to below - 1. */
function random(below) {
  return Math.floor(Math.random() * below)
}
