// The daemon of this package beside the programs that people have: what one says the other hears, whole and in order.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

const python = (...words) =>
  spawn('/usr/bin/python3', ['-W', 'ignore', `/job/programs/${words[0]}`, ...words.slice(1)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })

async function linesOf(child, count) {
  const lines = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    if (lines.length === count) break
  }
  return lines
}

const version = execFileSync('/usr/bin/python3', ['-c', 'import paho.mqtt; print(paho.mqtt.__version__)'])
console.log(`paho ${String(version).trim()}, ${process.version}`)

const daemon = spawn(process.execPath, ['/job/dist/main.js', 'start'], {
  cwd: '/srv/seeds',
  stdio: ['ignore', 'pipe', 'inherit'],
})
const log = []
const ready = new Promise((resolve) => {
  createInterface({ input: daemon.stdout }).on('line', (line) => {
    log.push(JSON.parse(line))
    if (log.at(-1).msg === 'ready') resolve()
  })
})
await ready

const server = python('hello_server.py', '127.0.0.1', '1883', '3')
const heard = linesOf(server, 4)
await new Promise((resolve) => setTimeout(resolve, 3_000))
const client = python('hello_client.py', '127.0.0.1', '1883', '3', '5')
await once(client, 'exit')
const [hello, ...records] = await heard
assert.equal(hello, 'Connection OK')
for (const record of records) console.log(`✔ the server's record: ${record}`)
assert.equal(records.length, 3)
const logged = log.filter(({ rule }) => rule === 'record')
for (const { msg } of logged) console.log(`✔ Damselfly's log: ${msg}`)
assert.equal(logged.length, 3)
for (const { msg } of logged) {
  const { topic, content, qos, retain } = JSON.parse(msg)
  assert.deepEqual([topic, content.msg, qos, retain], ['test', 'Hello', 0, false])
}

const numbers = Array.from({ length: 20 }, (_, index) => (index * 7919) % 1000)
const receiver = python('numbers.py', 'receive', '127.0.0.1', '1883', 'list', '20')
const received = linesOf(receiver, 2)
await new Promise((resolve) => setTimeout(resolve, 3_000))
await once(python('numbers.py', 'send', '127.0.0.1', '1883', 'list', numbers.join(',')), 'exit')
const list = JSON.parse((await received)[1])
assert.deepEqual(list, numbers)
console.log(`✔ a list of 20 numbers, whole and in order: ${JSON.stringify(list)}`)

daemon.kill('SIGTERM')
assert.equal((await once(daemon, 'exit'))[0], 0)
console.log('✔ stopped clean')
