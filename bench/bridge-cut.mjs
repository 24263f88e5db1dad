// A bridge to a real mosquitto, whose link is cut for a minute while messages go both ways. Says what was lost, what came
// out of order, and what came twice.
//   node bench/bridge-cut.mjs [--seconds 60] [--rate 200] [--version 5] [--kill]
// --rate: messages a second, each way. --kill: in the middle of the cut Damselfly is ended with -9, and started again.
// It passes when nothing is lost, all is in order, and nothing of QoS 2 comes twice.
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { cableTo } from './bridge/cable.mjs'
import { client, Flow } from './bridge/flow.mjs'
import { firstConnackNs } from './mqtt-wire.mjs'
import { startMosquitto } from './systems/mosquitto.mjs'
import { end, freePort, spawnOn } from './systems/support.mjs'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    rate: { type: 'string', default: '200' },
    version: { type: 'string', default: '5' },
    kill: { type: 'boolean', default: false },
  },
})
const [seconds, rate] = [Number(values.seconds), Number(values.rate)]
if (!(seconds > 0 && rate > 0)) throw new Error('--seconds and --rate are numbers above 0')

/** How long nothing new must come until what is missing is lost. */
const quietMs = 5_000
// where its window is full mosquitto lets new messages overtake those that have waited since the cut: so there is none
const config = ['max_queued_messages 0', 'max_inflight_messages 0', 'log_type error']
const main = join(import.meta.dirname, '../dist/main.js')

const folder = await mkdtemp(join(tmpdir(), 'damselfly-bridge-'))
let damselfly
let mosquitto
let cable
const clients = []
try {
  await mkdir(join(folder, 'far'))
  mosquitto = await startMosquitto(join(folder, 'far'), { config })
  cable = await cableTo(mosquitto.port)
  const port = await freePort()
  await configure(port)
  damselfly = await start(port)
  process.exitCode = (await play(port)) ? 0 : 1
} finally {
  for (const one of clients) one.end(true)
  if (damselfly !== undefined) await end(damselfly)
  await mosquitto?.stop()
  cable?.close()
  await rm(folder, { recursive: true, force: true })
}

async function play(port) {
  const [near, far] = [port, mosquitto.port]
  for (const [name, at] of [
    ['near-publisher', near],
    ['near-subscriber', near],
    ['far-publisher', far],
    ['far-subscriber', far],
  ])
    clients.push(await client(at, name))
  const flows = [new Flow('out', clients[0], clients[3]), new Flow('in', clients[2], clients[1])]
  for (const flow of flows) await flow.begin()
  await linked(flows)
  const runs = flows.map((flow) => flow.run(rate))
  const aroundMs = Math.min(5_000, (seconds * 1_000) / 3)
  await sleep(aroundMs)
  cable.cut()
  await cut(port)
  cable.mend()
  await sleep(aroundMs)
  for (const flow of flows) flow.isRunning = false
  await Promise.all(runs)
  const tookMs = await settle(flows)
  const rows = flows.flatMap((flow) => flow.rows())
  console.log(
    `link cut for ${seconds} s at ${rate} messages/s each way, MQTT ${values.version}${values.kill ? ', killed meanwhile' : ''}`,
  )
  console.table(rows)
  console.log(`all was there ${(tookMs / 1_000).toFixed(1)} s after the last was sent`)
  const isRight = rows.every(
    ({ qos, lost, outOfOrder, duplicates }) => lost + outOfOrder === 0 && (qos === 1 || duplicates === 0),
  )
  console.log(isRight ? 'PASS' : 'FAIL')
  return isRight
}

async function cut(port) {
  await sleep((seconds * 1_000) / 2)
  if (values.kill) {
    damselfly.kill('SIGKILL')
    await once(damselfly, 'exit')
    damselfly = await start(port)
  }
  await sleep((seconds * 1_000) / 2)
}

/** Until a message comes through each way. */
async function linked(flows) {
  for (const { name, publisher, subscriber } of flows) {
    let isThere = false
    const topic = `${name}/probe`
    subscriber.on('message', (heard) => {
      isThere ||= heard === topic
    })
    for (const untilMs = performance.now() + 10_000; !isThere; await sleep(50)) {
      if (performance.now() > untilMs) throw new Error('the bridge does not connect')
      await publisher.publishAsync(topic, '', { qos: 0 })
    }
  }
}

/** Until all is there, or nothing more comes. @returns how long the last that came took */
async function settle(flows) {
  const begunMs = performance.now()
  const missing = () => flows.reduce((sum, flow) => sum + flow.missing, 0)
  let [lastMs, before] = [begunMs, missing()]
  while (performance.now() - lastMs < quietMs && before > 0) {
    await sleep(20)
    const now = missing()
    if (now !== before) [lastMs, before] = [performance.now(), now]
  }
  await sleep(300) // one too many would come now
  return lastMs - begunMs
}

async function configure(port) {
  const version = values.version === '5' ? '5' : '3.1.1'
  const yaml = `bridges:
  far:
    address: mqtt://127.0.0.1:${cable.port}
    version: ${version}
    retry_min: 100ms
    retry_max: 1s
    topics:
      - { topic: out/#, direction: out, qos: 2 }
      - { topic: in/#, direction: in, qos: 2 }
`
  const env = [
    `PORT=${port}`,
    'BIND=loopback',
    'NAME=bridge',
    'GPIO_CHIP=simulated',
    'MAX_INFLIGHT_MESSAGES=65535',
    'MAX_QUEUED_MESSAGES=1000000',
    'MAX_QUEUED_BYTES=64MiB',
    'LOG_LEVEL=warn',
  ]
  await mkdir(join(folder, 'config'))
  await writeFile(join(folder, 'config/damselfly.yaml'), yaml)
  await writeFile(join(folder, '.env'), `${env.join('\n')}\n`, { mode: 0o600 })
}

async function start(port) {
  const stdio = ['ignore', 'ignore', 'inherit']
  const child = spawnOn(undefined, process.execPath, [main, 'start'], { cwd: folder, stdio })
  await firstConnackNs(port, child)
  return child
}
