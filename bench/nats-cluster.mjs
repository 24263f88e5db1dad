// A Damselfly that is attached to a cluster of three nats-servers, of which the one that serves it is killed under load.
// Each message that is published at one server is answered by a rule, and the answers are counted at another: says what
// was lost, what came twice, and how long the rule was away.
//   node bench/nats-cluster.mjs [--seconds 30] [--rate 100]
// It needs nats-server (Debian: apt install nats-server). Between Damselfly and the cluster is what a cluster has in
// front of it, a balancer: here one of a few lines.
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { connectAsync } from 'mqtt'
import { end, freePort, spawnOn } from './systems/support.mjs'

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '30' }, rate: { type: 'string', default: '100' } },
})
const [seconds, rate] = [Number(values.seconds), Number(values.rate)]
if (!(seconds > 0 && rate > 0)) throw new Error('--seconds and --rate are numbers above 0')

const serversCount = 3
/** How long nothing new must come until what is missing is lost. */
const quietMs = 10_000
const main = join(import.meta.dirname, '../dist/main.js')

const folder = await mkdtemp(join(tmpdir(), 'damselfly-nats-'))
const servers = []
const clients = []
let damselfly
let balancer
try {
  await startCluster()
  balancer = await startBalancer()
  damselfly = await startDamselfly()
  await play()
} finally {
  for (const client of clients) client.removeAllListeners('close').end(true)
  if (damselfly !== undefined) await end(damselfly.child)
  balancer?.close()
  for (const { child } of servers) await end(child)
  await rm(folder, { recursive: true, force: true })
}

async function play() {
  const publisher = await clientAt(servers[1].mqtt, 'publisher')
  const observer = await clientAt(servers[2].mqtt, 'observer')
  const seen = new Map()
  let [lastMs, longestMs] = [0, 0]
  observer.on('message', (_topic, payload) => {
    const nowMs = performance.now()
    if (lastMs > 0) longestMs = Math.max(longestMs, nowMs - lastMs)
    lastMs = nowMs
    seen.set(`${payload}`, (seen.get(`${payload}`) ?? 0) + 1)
  })
  await observer.subscribeAsync('answer/#', { qos: 1 })
  for (const untilMs = performance.now() + 20_000; seen.size === 0; await sleep(200)) {
    if (performance.now() > untilMs) throw new Error('no answer comes: the cluster is not ready')
    await publisher.publishAsync('ask/0', 'probe', { qos: 1 })
  }
  await sleep(1_000)
  seen.clear()
  lastMs = 0

  let sent = 0
  const acknowledged = new Set()
  let killedMs = 0
  const begunMs = performance.now()
  while (performance.now() - begunMs < seconds * 1_000) {
    sent++
    const text = `${sent}`
    publisher.publish(`ask/${sent % 10}`, text, { qos: 1 }, (error) => {
      if (!error) acknowledged.add(text)
    })
    if (killedMs === 0 && performance.now() - begunMs > (seconds * 1_000) / 3) {
      killedMs = performance.now()
      servers[0].child.kill('SIGKILL')
    }
    const waitMs = begunMs + (sent * 1_000) / rate - performance.now()
    if (waitMs > 1) await sleep(waitMs)
  }
  await settle(() => seen.size + acknowledged.size, 2 * sent)
  const lost = [...acknowledged].filter((text) => !seen.has(text)).length
  const duplicates = [...seen.values()].reduce((sum, count) => sum + count - 1, 0)
  const back = damselfly.connectedMs.find((ms) => ms > killedMs)
  console.log(
    `three nats-servers, ${rate} messages/s for ${seconds} s, the one that serves Damselfly killed with -9`,
  )
  console.table([{ sent, acknowledged: acknowledged.size, answered: seen.size, lost, duplicates }])
  console.log('lost: what the cluster had acknowledged, and was not answered')
  console.log(
    back === undefined
      ? 'Damselfly did not come back'
      : `Damselfly was connected again ${((back - killedMs) / 1_000).toFixed(1)} s after the kill; the longest time without an answer was ${(longestMs / 1_000).toFixed(1)} s`,
  )
}

async function settle(count, whole) {
  let [before, sinceMs] = [count(), performance.now()]
  while (count() < whole && performance.now() - sinceMs < quietMs) {
    await sleep(50)
    if (count() !== before) [before, sinceMs] = [count(), performance.now()]
  }
  await sleep(500)
}

async function clientAt(port, clientId) {
  const client = await connectAsync({
    host: '127.0.0.1',
    port,
    clientId,
    protocolVersion: 4,
    reconnectPeriod: 200,
  })
  client.on('error', () => {})
  client.on('close', () => console.log(`${clientId}: connection closed`))
  clients.push(client)
  return client
}

async function startCluster() {
  for (let index = 0; index < serversCount; index++)
    servers.push({
      name: `n${index}`,
      client: await freePort(),
      route: await freePort(),
      mqtt: await freePort(),
    })
  const routes = servers.map(({ route }) => `nats://127.0.0.1:${route}`).join(', ')
  for (const server of servers) {
    const { name, client, route, mqtt } = server
    const own = join(folder, name)
    await mkdir(own)
    const config = `server_name: ${name}
listen: 127.0.0.1:${client}
jetstream { store_dir: "${own}/jetstream" }
cluster { name: pis, listen: 127.0.0.1:${route}, routes: [ ${routes} ] }
mqtt { listen: 127.0.0.1:${mqtt}, ack_wait: "5s", stream_replicas: ${serversCount} }
`
    await writeFile(join(own, 'nats.conf'), config)
    server.child = spawnOn(undefined, 'nats-server', ['-c', join(own, 'nats.conf'), '-l', join(own, 'log')], {
      stdio: 'inherit',
    })
  }
  for (const { mqtt } of servers) await answers(mqtt)
}

/** Until a client may connect: before that the cluster has no leader. */
async function answers(port) {
  const options = {
    host: '127.0.0.1',
    port,
    clientId: `probe-${port}`,
    protocolVersion: 4,
    reconnectPeriod: 500,
  }
  const client = await Promise.race([connectAsync(options), sleep(60_000)])
  if (client === undefined) throw new Error('the cluster does not come up')
  await client.endAsync(true)
}

/** Hands each connection to the first server that takes it. */
async function startBalancer() {
  const server = createServer((near) => {
    near.on('error', () => {})
    tryNext(near, 0)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function tryNext(near, index) {
  const target = servers[index]
  if (target === undefined) return void near.destroy()
  const far = connect(target.mqtt, '127.0.0.1')
  const onError = () => tryNext(near, index + 1)
  far.once('error', onError)
  far.once('connect', () => {
    far.off('error', onError)
    far.on('error', () => near.destroy())
    far.on('close', () => near.destroy())
    near.on('close', () => far.destroy())
    near.pipe(far)
    far.pipe(near)
  })
}

async function startDamselfly() {
  const own = join(folder, 'damselfly')
  await mkdir(join(own, 'config'), { recursive: true })
  await writeFile(
    join(own, 'config/damselfly.yaml'),
    `rules: [ { name: answer, on: ask/+, do: { publish: "answer/\${levels[1]}", text: "\${payload}", qos: 1 } } ]\n`,
  )
  const { port } = balancer.address()
  const env = [`BROKER_URL=mqtt://127.0.0.1:${port}`, 'NAME=nats', 'GPIO_CHIP=simulated', 'LOG_FORMAT=json']
  await writeFile(join(own, '.env'), `${env.join('\n')}\n`, { mode: 0o600 })
  const child = spawnOn(undefined, process.execPath, [main, 'start'], {
    cwd: own,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const connectedMs = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { msg, reason } = JSON.parse(line)
    if (msg === 'connected to the broker') connectedMs.push(performance.now())
    if (reason !== undefined) console.log(`${msg}: ${reason}`)
  })
  for (const untilMs = performance.now() + 20_000; connectedMs.length === 0; await sleep(50))
    if (performance.now() > untilMs) throw new Error('Damselfly does not connect')
  return { child, connectedMs }
}
