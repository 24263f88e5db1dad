// What the unit holds back, and who pays for it.
import { readFileSync } from 'node:fs'
import net from 'node:net'
import {
  connect,
  dropIn,
  end,
  entries,
  journal,
  play,
  promise,
  property,
  shell,
  sleep,
  status,
  systemctl,
  until,
} from '../service.mjs'

const group = '/sys/fs/cgroup/system.slice/damselfly.service'
const figure = (file, name) =>
  Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(readFileSync(`${group}/${file}`, 'utf8'))[1])
const level = () => readFileSync(`${process.env.PI}/sim_gpio17/value`, 'utf8').trim()

await play({ bounds, memory, memoryOfMany, memoryOfTheDaemon, tasks, connections, files })
end()

async function bounds() {
  const bytes = Number(await property('MemoryMax'))
  const total = 1_024 * Number(/MemTotal:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))[1])
  promise(
    'memory: at most half of the machine',
    Math.abs(bytes - total / 2) < total / 100,
    `${mib(bytes)} of ${mib(total)}`,
  )
  const kernels = readFileSync(`${group}/memory.max`, 'utf8').trim()
  promise('which the kernel knows', kernels === String(bytes), kernels)
  const others = `${await property('TasksMax')} tasks, ${await property('LimitNOFILE')} files, ${await property('OOMPolicy')}`
  promise(
    'tasks, files, and what to do when memory is used up',
    others === '128 tasks, 16384 files, continue',
    others,
  )
}

/** The lamp obeys, the process is the same. */
async function serves(pid, what) {
  const client = await connect()
  await client.publish('home/lamp', 'off')
  await until((value) => value === '0', level)
  await client.publish('home/lamp', 'on')
  const lamp = await until((value) => value === '1', level)
  const now = await property('MainPID')
  const restarts = await property('NRestarts')
  promise(
    `${what}: the daemon is the same, and moves the pin`,
    lamp === '1' && now === pid,
    `process ${now}, ${restarts} restarts`,
  )
  client.end()
}

async function memory() {
  const pid = await property('MainPID')
  const client = await connect()
  const begun = Date.now()
  client.publish('house/hog', '1')
  const log = await journal('"step failed"', begun, 60)
  const ended = figure('memory.events', 'oom_kill')
  promise('a program that takes all memory is ended', /SIGKILL/.test(log) && ended === 1, log)
  const said = (await entries(begun)).map(({ MESSAGE }) => `${MESSAGE}`).find((text) => /OOM/.test(text))
  promise('systemd says that it was for memory', said !== undefined, said)
  await serves(pid, 'afterwards')
  client.end()
}

async function memoryOfMany() {
  const pid = await property('MainPID')
  const before = figure('memory.events', 'oom_kill')
  const client = await connect()
  client.publish('house/hog', '40')
  const ended = await until(
    (count) => count > before,
    () => figure('memory.events', 'oom_kill'),
    60,
  )
  const rss = mib(1_024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]))
  promise('40 programs of 24 MiB: some of them are ended', ended > before, `${ended - before}`)
  await serves(pid, `although it is larger than each of them (${rss})`)
  client.end()
  await systemctl('restart', 'damselfly')
}

/** As it would be without any of that: the daemon itself is too large. */
async function memoryOfTheDaemon() {
  await dropIn('memory', 'MemoryMax=48M')
  const begun = Date.now()
  await systemctl('restart', 'damselfly')
  const client = await connect()
  client?.publish('house/fill', Buffer.alloc(9_000_000, 'x'), { retain: true }).catch(() => {})
  client?.publish('house/fill2', Buffer.alloc(9_000_000, 'x'), { retain: true }).catch(() => {})
  const restarts = await until(
    (count) => Number(count) > 0,
    () => property('NRestarts'),
    20,
  )
  client?.end()
  const log = await journal('oom-kill', begun)
  await dropIn('memory', '')
  await systemctl('restart', 'damselfly')
  promise(
    'a daemon that is too large itself is started again',
    Number(restarts) > 0 && log !== '',
    `${restarts} restarts; ${log}`,
  )
}

async function tasks() {
  const pid = await property('MainPID')
  const client = await connect()
  const begun = Date.now()
  client.publish('house/bomb', '')
  const most = await until(
    (count) => count >= 128,
    () => Number(readFileSync(`${group}/pids.current`, 'utf8')),
    20,
  )
  promise(
    'a program that starts itself again and again is held at 128 tasks',
    most === 128 && figure('pids.events', 'max') > 0,
    `${most} tasks`,
  )
  await serves(pid, 'meanwhile')
  const refused = await shell(client, 'echo started', 3)
  promise('another program is not started', refused === undefined, await journal('"step failed"', begun))
  const few = await until(
    (count) => count < 30,
    () => Number(readFileSync(`${group}/pids.current`, 'utf8')),
    40,
  )
  promise('at its time limit all of it is ended', few < 30, `${few} tasks`)
  const again = await shell(client, 'echo started', 20)
  promise('and programs start again', again === 'started', again)
  await serves(pid, 'afterwards')
  client.end()
}

/** @returns the sockets that were answered with CONNACK 0 */
async function open(count, first = 0) {
  const sockets = []
  for (let index = first; index < first + count; index++) {
    const id = `c${String(index).padStart(6, '0')}`
    const socket = net.connect(1883, '127.0.0.1')
    socket.on('error', () => {})
    socket.write(
      Buffer.concat([
        Buffer.from([0x10, 12 + id.length, 0, 4]),
        Buffer.from('MQTT'),
        Buffer.from([4, 2, 0, 0, 0, id.length]),
        Buffer.from(id),
      ]),
    )
    const isIn = await new Promise((resolve) => {
      socket.once('data', (bytes) => resolve(bytes[0] === 0x20 && bytes[3] === 0))
      socket.once('close', () => resolve(false))
      setTimeout(() => resolve(false), 5_000).unref()
    })
    if (isIn) sockets.push(socket)
    else socket.destroy()
  }
  return sockets
}

async function connections() {
  const sockets = await open(100)
  promise('MAX_CONNECTIONS of 100: so many come in', sockets.length === 100, `${sockets.length}`)
  const more = await open(3, 100)
  const { counters } = await status()
  promise(
    'and no more, which is counted',
    more.length === 0 && counters.connectionsMax === 3,
    `connectionsMax ${counters.connectionsMax}`,
  )
  sockets.pop().destroy()
  await sleep(500)
  const next = await open(1, 200)
  promise('one goes, another comes', next.length === 1)
  for (const socket of [...sockets, ...next]) socket.destroy()
}

/** Fewer descriptors than clients: what nobody should set, and nobody dies of. */
async function files() {
  await dropIn('files', 'LimitNOFILE=80')
  await systemctl('restart', 'damselfly')
  const pid = await property('MainPID')
  const begun = Date.now()
  const sockets = await open(90)
  promise(
    '80 descriptors: no more clients than these',
    sockets.length > 20 && sockets.length < 80,
    `${sockets.length} of 90 came in`,
  )
  const log = await journal('EMFILE', begun, 3)
  promise('which the log says', log !== '', log)
  for (const socket of sockets) socket.destroy()
  await sleep(1_000)
  await serves(pid, 'when they have gone')
  await dropIn('files', '')
}

function mib(bytes) {
  return `${(bytes / 1_048_576).toFixed(0)} MiB`
}
