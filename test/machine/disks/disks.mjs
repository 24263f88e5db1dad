// What the service promises on a bad disk. The faults follow one another under a load that does not end; then the daemon is
// killed, and what was acknowledged has to be there.
import { setTimeout as sleep } from 'node:timers/promises'
import { end, entries, journal, play, promise, property, sh, status, systemctl, until } from '../service.mjs'
import * as disk from './disk.mjs'
import { client, Load } from './load.mjs'

const begins = 'the store cannot be written'
const ends = 'the store is written again'
/** A message or a pin that waited for the disk waited for longer. */
const stallMs = 3_000

const pid = await property('MainPID')
const load = new Load()
const away = { clientId: 'away', clean: false, properties: { sessionExpiryInterval: 3_600 } }

async function begin() {
  const session = client(away)
  await session.subscribeAsync('kept/#', { qos: 2 })
  await session.endAsync()
  await load.start()
  await sleep(3_000)
  const { codes, slowest } = load.take()
  promise(
    'all is well at the beginning',
    codes['v5 QoS 1 ok'] > 0 && codes['v5 QoS 2 ok'] > 0,
    told(codes, slowest),
  )
}

const told = (codes, slowest) =>
  `${Object.entries(codes)
    .map(([code, count]) => `${code} ×${count}`)
    .join(', ')}; ${Object.keys(slowest).length > 0 ? 'at most ' : ''}${Object.entries(slowest)
    .map(([what, ms]) => `${what} ${ms} ms`)
    .join(', ')}`

/** The lines of the log since then that begin and end an outage. */
async function outages(since) {
  const said = (await entries(since)).map(({ MESSAGE }) => `${MESSAGE}`)
  return [begins, ends].map((text) => said.filter((line) => line.includes(text)))
}

/** Goes through one fault. `isTold`: it is one that is told, and in which messages are refused. */
async function endure(what, { isTold, breaks, mends, seconds = 8, alsoMeanwhile = async () => {} }) {
  load.take()
  const since = Date.now()
  await breaks()
  if (isTold)
    await until(
      ([first]) => first.length > 0,
      () => outages(since),
      60,
    )
  load.take()
  await sleep(seconds * 1_000)
  const during = load.take()
  const { store } = await status() // it takes the machine's one processor for a while
  await alsoMeanwhile()
  await mends()
  const { codes, slowest } = during
  const isGoingOn = ['QoS 0', 'rule', 'pin'].every((name) => slowest[name] < stallMs)
  promise(`${what}: QoS 0, rules and pins go on`, isGoingOn, told({}, slowest))
  if (isTold) {
    const isRefused = ['v5 QoS 1', 'v5 QoS 2', 'v5 retained'].every((kind) => codes[`${kind} 0x97`] > 0)
    const isKept = Object.keys(codes).some((code) => code.endsWith(' ok'))
    promise(
      `${what}: what cannot be kept is refused, or waits, and never acknowledged`,
      isRefused && !isKept,
      told(codes, {}),
    )
    promise(`${what}: status says so`, store?.isWritten === false, JSON.stringify(store))
  }
  const [first, last] = isTold
    ? await until(
        ([, ended]) => ended.length > 0,
        () => outages(since),
        60,
      )
    : await outages(since)
  const wanted = isTold ? 1 : 0
  promise(
    `${what}: ${isTold ? 'said once, and once when it was over' : 'nothing is said of it'}`,
    first.length === wanted && last.length === wanted,
    [...first, ...last].join(' … '),
  )
  const left = await until(
    (count) => count < 10,
    () => load.unanswered,
    60,
  )
  load.take()
  await sleep(3_000)
  const after = load.take()
  const isWell = ['v5 QoS 1 ok', 'v5 QoS 2 ok', 'v5 retained ok', 'v3 QoS 1 ok', 'v3 QoS 2 ok'].every(
    (code) => after.codes[code] > 0,
  )
  promise(
    `${what}: all is acknowledged again, and what had waited is`,
    isWell && left < 10,
    told(after.codes, {}),
  )
  await sameProcess(what)
  return codes
}

async function sameProcess(what) {
  const [now, restarts] = [await property('MainPID'), await property('NRestarts')]
  promise(
    `${what}: no restart, and the watchdog was content`,
    now === pid && restarts === '0',
    `process ${now}, ${restarts} restarts`,
  )
}

async function full() {
  await endure('full disk', {
    isTold: true,
    breaks: async () => disk.fill(),
    mends: async () => disk.makeRoom(),
  })
}

async function ioErrors() {
  await endure('I/O errors', {
    isTold: true,
    breaks: () => disk.be('dataFails'),
    alsoMeanwhile: async () => {
      await disk.forgetCaches()
      await sleep(5_000)
    },
    mends: () => disk.be('well'),
  })
}

async function slow() {
  const codes = await endure('each write takes seconds', {
    isTold: false,
    breaks: () => disk.be('slow'),
    seconds: 25,
    mends: () => disk.be('well'),
  })
  const isNoneRefused = !Object.keys(codes).some((code) => code.includes('0x'))
  promise(
    'each write takes seconds: acknowledgements come late, and nothing is refused',
    isNoneRefused,
    told(codes, {}),
  )
}

async function hangsShortly() {
  await endure('hangs for 20 s', { isTold: false, breaks: disk.suspend, seconds: 20, mends: disk.resume })
}

async function hangsLong() {
  await endure('hangs for longer than 30 s', { isTold: true, breaks: disk.suspend, mends: disk.resume })
}

/** The daemon is killed, and what was acknowledged is there. */
async function afterwards() {
  await load.stop()
  const left = await until(
    (count) => count === 0,
    () => load.unanswered,
    30,
  )
  await until((acks) => acks === load.mosquittoSent, load.mosquittoAcks, 30)
  promise(
    'mosquitto_pub had each of its messages acknowledged in the end',
    load.mosquittoAcks() === load.mosquittoSent,
    `${load.mosquittoAcks()} of ${load.mosquittoSent}`,
  )
  const killed = Date.now()
  await systemctl('kill', '--signal=SIGKILL', 'damselfly')
  await journal('"ready"', killed, 60)
  const retained = new Map()
  const waiting = []
  const reader = client({ clientId: 'state reader' })
  reader.on('message', (topic, payload) => retained.set(topic, `${payload}`))
  await reader.subscribeAsync('state/#', { qos: 1 })
  const session = client(away)
  session.on('message', (_topic, payload) => waiting.push(`${payload}`))
  const wanted = [
    ...load.acknowledged,
    ...Array.from({ length: load.mosquittoAcks() }, (_, n) => `mosquitto ${n + 1}`),
  ]
  const missing = () => {
    const there = new Set(waiting)
    return wanted.filter((payload) => !there.has(payload))
  }
  await until(
    (lost) => lost.length === 0,
    async () => missing(),
    60,
  )
  promise(
    'after kill -9 every acknowledged message is there',
    missing().length === 0 && wanted.length > 500,
    `${wanted.length} acknowledged, ${missing().length} missing ${missing().slice(0, 5)}`,
  )
  const twice = waiting.filter(
    (payload, index) => /^[bd]/.test(payload) && waiting.indexOf(payload) !== index,
  )
  promise(
    'of QoS 2 nothing comes twice',
    twice.length === 0,
    `${waiting.length} came, ${twice.length} of QoS 2 twice; ${left} were never answered`,
  )
  const wrong = [...load.retained].filter(([topic, payload]) => number(retained.get(topic)) < number(payload))
  promise(
    'each retained message is the acknowledged one, or a later one',
    wrong.length === 0 && load.retained.size > 5,
    `${load.retained.size} topics`,
  )
  for (const one of [reader, session, load.v5, load.v3, load.reader]) one.end(true)
}

const number = (payload = 'e0') => Number(payload.slice(1))

/** A client of MQTT 5 that publishes something to be kept. @returns 0, or the reason code */
async function codeOf() {
  const publisher = client()
  const code = await publisher.publishAsync('kept/5', 'x', { qos: 1 }).then(
    () => 0,
    (error) => error.code,
  )
  publisher.end(true)
  return code
}

async function retainedCount() {
  const reader = client()
  const topics = new Set()
  reader.on('message', (topic) => topics.add(topic))
  await reader.subscribeAsync('state/#')
  await until(
    (count) => count >= load.retained.size,
    () => topics.size,
    10,
  )
  reader.end(true)
  return topics.size
}

async function readOnlyAtStart() {
  await systemctl('stop', 'damselfly')
  await disk.remount('ro')
  const since = Date.now()
  await systemctl('start', 'damselfly')
  const active = await property('ActiveState')
  const [first] = await outages(since)
  const found = active === 'active' ? await retainedCount() : 0
  promise(
    'a start on a read-only disk: it starts with all that was kept, and says so',
    active === 'active' && first.length === 1 && found === load.retained.size,
    `${active}, ${found} retained messages; ${first}`,
  )
  promise('and refuses what it cannot keep', (await codeOf()) === 0x97)
  const restarts = Number(await property('NRestarts'))
  await disk.remount('rw')
  const code = await until((answer) => answer === 0, codeOf, 60)
  const again = Number(await property('NRestarts')) - restarts
  const line = await journal('it is started again', since)
  promise(
    'when it can be written it recovers by itself: its mounts are of its start, so it has itself started again',
    code === 0 && again === 1 && (await retainedCount()) === load.retained.size,
    `code ${code}, ${again} restart; ${line}`,
  )
}

async function unreadableAtStart() {
  await systemctl('stop', 'damselfly')
  await disk.be('dataFails')
  await disk.forgetCaches()
  const since = Date.now()
  systemctl('start', 'damselfly')
  const line = await journal('its disk fails', since, 30)
  promise(
    'a start on a disk that cannot be read: it does not, and says why',
    /Input\/output error|EIO/i.test(line) && /Nothing was changed/.test(line),
    line,
  )
  await disk.be('well')
  const state = await until(
    (text) => text === 'active',
    () => property('ActiveState'),
    60,
  )
  const found = await retainedCount()
  promise(
    'when it can be read, systemd has it running with all that was kept',
    state === 'active' && found === load.retained.size,
    `${state}, ${found} retained messages`,
  )
}

/** ext4 gives up: nothing but to mount anew helps, whatever the program. */
async function aborted() {
  const since = Date.now()
  await disk.be('allFails')
  await sh('sh', '-c', `touch ${disk.mountPoint}/touched; sync`)
  const codes = []
  for (let i = 0; i < 3; i++) codes.push(await codeOf())
  const live = client()
  const heard = []
  live.on('message', (_topic, payload) => heard.push(`${payload}`))
  await live.subscribeAsync('answer')
  live.publish('ask', 'still there')
  await until(
    (all) => all.length > 0,
    async () => heard,
  )
  promise(
    'a disk that is gone: QoS 0 and rules go on, messages to be kept are refused',
    codes.every((code) => code === 0x97) && heard.length === 1,
    `${codes}; ${heard}`,
  )
  await disk.be('well')
  await sleep(5_000)
  const [first, last] = await outages(since)
  promise(
    'said once',
    first.length === 1 && last.length === 0,
    `${first}; code ${await codeOf()}; ${await disk.givenUp()}`,
  )
  await systemctl('stop', 'damselfly')
  await disk.unmount()
  await disk.mount()
  await systemctl('start', 'damselfly')
  const code = await codeOf()
  const found = await retainedCount()
  promise(
    'when Damselfly is stopped, the disk mounted anew, and it is started again, all that was kept is there',
    code === 0 && found === load.retained.size,
    `${found} retained messages, code ${code}`,
  )
  live.end(true)
}

const parts = {
  begin,
  full,
  ioErrors,
  slow,
  hangsShortly,
  hangsLong,
  afterwards,
  readOnlyAtStart,
  unreadableAtStart,
  aborted,
}
// --only=A,B: some of them
const only = process.argv
  .find((arg) => arg.startsWith('--only='))
  ?.slice('--only='.length)
  .split(',')
await play(only === undefined ? parts : Object.fromEntries(only.map((name) => [name, parts[name]])))
end()
