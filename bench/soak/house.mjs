// The house of the soak: what stands in its files, and how its clients reach it.
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { hash } from '@node-rs/argon2'
import { createWebSocketStream, WebSocket } from 'ws'
import { certificate } from '../systems/certificate.mjs'
import { freePort } from '../systems/support.mjs'

/** As mosquitto 2.1 writes them. */
const argon2 = { memoryCost: 47_104, timeCost: 1, parallelism: 1 }
export const users = ['kitchen', 'meter', 'attic']
export const password = 'not a secret'

/**
 * Writes all files of a house into the folder.
 * @param elsewhere { dataDir, hook: the webhook's address, farPort: of the broker to bridge to, connectionsMax }
 */
export async function buildHouse(folder, { dataDir, hook, farPort, connectionsMax }) {
  const [port, tls, ws, wss, http] = await Promise.all(Array.from({ length: 5 }, freePort))
  const unix = join(folder, 'mqtt.sock')
  const { cert, key } = await certificate(folder)
  const config = join(folder, 'config')
  await mkdir(config)
  const env = {
    PORT: port,
    BIND: 'loopback',
    NAME: 'soak',
    DATA_DIR: dataDir,
    GPIO_CHIP: 'simulated',
    DURABILITY: 'power',
    HTTP_PORT: http,
    LOG_FORMAT: 'json',
    MAX_CONNECTIONS: connectionsMax,
  }
  const lines = Object.entries(env).map(([name, value]) => `${name}=${value}\n`)
  await writeFile(join(folder, '.env'), lines.join(''), { mode: 0o600 })
  const people = users.map(async (name) => `${name}:${await hash(password, argon2)}\n`)
  await writeFile(join(config, 'users'), (await Promise.all(people)).join(''), { mode: 0o600 })
  const yaml = yamlOf({ tls, ws, wss, unix, cert, key, hook, farPort })
  const rewrite = (text) => writeFile(join(config, 'damselfly.yaml'), text)
  await rewrite(yaml)
  let changes = 0
  return {
    port,
    http,
    control: join(dataDir, 'control.sock'),
    ways: {
      tcp: () => connected(createConnection({ port, host: '127.0.0.1', noDelay: true }), 'connect'),
      unix: () => connected(createConnection(unix), 'connect'),
      tls: () =>
        connected(connectTls({ port: tls, host: '127.0.0.1', rejectUnauthorized: false }), 'secureConnect'),
      ws: () => webSocket(`ws://127.0.0.1:${ws}/mqtt`),
      wss: () => webSocket(`wss://127.0.0.1:${wss}/mqtt`),
    },
    urls: { ws: `ws://127.0.0.1:${ws}/mqtt`, tls: `mqtts://127.0.0.1:${tls}` },
    /** Another rule, in the place of the last one of this kind. */
    changeWell: () =>
      rewrite(`${yaml}  - { name: change ${++changes}, on: house/change, do: { log: changed } }\n`),
    changeBadly: () => rewrite(`${yaml}  - { name: mistake, onn: house/change, do: { log: changed } }\n`),
    restore: () => rewrite(yaml),
  }
}

function yamlOf({ tls, ws, wss, unix, cert, key, hook, farPort }) {
  return `
listeners:
  secure: { port: ${tls}, bind: loopback, tls: { cert: ${cert}, key: ${key} } }
  panel: { port: ${ws}, bind: loopback, websocket: true }
  panels: { port: ${wss}, bind: loopback, websocket: true, tls: { cert: ${cert}, key: ${key} } }
  programs: { unix: ${unix} }
bridges:
  cabin:
    address: mqtt://127.0.0.1:${farPort}
    keep_alive: 10s
    retry_max: 5s
    topics:
      - { topic: bridge/out/#, direction: out, qos: 2 }
      - { topic: bridge/in/#, direction: in, qos: 2 }
pins:
  lamp: { gpio: 17, out: true, on_stop: off, max_on: 10s }
  button: { gpio: 27, in: true, pull: up, active: low, publish: home/button }
  meter: { gpio: 23, in: true, pull: up, active: low, count: { every: 1s } }
rules:
  - { name: echo, on: house/echo, do: { publish: house/echoed, text: "\${payload}" } }
  - { name: copy, on: house/load/kitchen/1, do: { publish: house/copied, text: "\${payload}", qos: 1 } }
  - { name: keep, on: house/reading, do: { store: readings, values: { value: "\${payload.value}" } } }
  - { name: bell, on: home/button, when: payload == "on", do: [{ gpio: lamp, set: on, for: 300ms }] }
  - { name: program, on: house/exec, do: { exec: [/bin/cat], publish: house/executed, timeout: 10s } }
  - { name: hook, on: house/hook, do: { http: "${hook}", json: { n: "\${payload}" }, timeout: 8s, publish: house/hooked } }
  - { name: hot, on: house/load/+/0, when: count("10s") > 100000, do: { log: hot } }
  - { name: late, on: house/echo, throttle: 30s, do: { log: "echo \${payload}" } }
`
}

async function connected(socket, event) {
  socket.on('error', () => {}) // 'close' follows
  await once(socket, event)
  return socket
}

async function webSocket(url) {
  const socket = new WebSocket(url, 'mqtt', { rejectUnauthorized: false })
  const stream = createWebSocketStream(socket)
  stream.on('error', () => {})
  stream.on('end', () => stream.destroy()) // it is half open otherwise
  await once(socket, 'open')
  return stream
}
