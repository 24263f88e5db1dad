// What the unit holds back, and who pays for it.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
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
  const client = await until((found) => found !== undefined, connect, 40)
  await client?.publish('home/lamp', 'off')
  await until((value) => value === '0', level)
  await client?.publish('home/lamp', 'on')
  const lamp = await until((value) => value === '1', level)
  const now = await property('MainPID')
  const restarts = await property('NRestarts')
  promise(
    `${what}: the daemon is the same, and moves the pin`,
    lamp === '1' && now === pid,
    `process ${now}, ${restarts} restarts`,
  )
  client?.end()
}

/** Less than half of it, for to fill it takes its time here. */
function allow(bytes) {
  return systemctl('set-property', '--runtime', 'damselfly', `MemoryMax=${bytes}`)
}

async function memory() {
  await allow('160M')
  const pid = await property('MainPID')
  const client = await connect()
  const begun = Date.now()
  client.publish('house/hog', '1')
  const log = await journal('"step failed"', begun, 60)
  const ended = figure('memory.events', 'oom_kill')
  promise('a program that takes all memory is ended', /SIGKILL/.test(log) && ended === 1, log)
  const said = await until(
    (text) => text !== undefined,
    async () => (await entries(begun)).map(({ MESSAGE }) => `${MESSAGE}`).find((text) => /OOM/.test(text)),
  )
  promise('systemd says that it was for memory', said !== undefined, said)
  await serves(pid, 'afterwards')
  client.end()
}

async function memoryOfMany() {
  const pid = await property('MainPID')
  const before = figure('memory.events', 'oom_kill')
  const client = await connect()
  client.publish('house/hog', '10')
  const ended = await until(
    (count) => count > before,
    () => figure('memory.events', 'oom_kill'),
    60,
  )
  const rss = mib(1_024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]))
  promise('ten programs of 24 MiB: one of them is ended', ended > before, `${ended - before}`)
  await serves(pid, `although it is larger than each of them (${rss})`)
  client.end()
  await systemctl('restart', 'damselfly')
}

/** An action of the owner's own, in the process itself: nobody else can pay. */
async function memoryOfTheDaemon() {
  await allow('160M')
  const yaml = '/etc/damselfly/damselfly.yaml'
  const text = readFileSync(yaml, 'utf8')
  const grow =
    "const kept = []; export default { name: 'grow', options: (z) => z.object({ grow: z.string() }), run() { for (;;) kept.push(Buffer.alloc(10_000_000, 1)) } }"
  writeFileSync('/etc/damselfly/actions/grow.mjs', grow)
  writeFileSync(yaml, `${text}\n  - { name: grow, on: house/grow, do: { grow: x } }\n`)
  await systemctl('restart', 'damselfly')
  const begun = Date.now()
  const client = await connect()
  client.publish('house/grow', '').catch(() => {})
  const restarts = await until(
    (count) => Number(count) > 0,
    () => property('NRestarts'),
    60,
  )
  client.end()
  const log = await journal('killed by the OOM killer', begun)
  const safe = await journal('outputs driven', begun)
  promise(
    'a daemon that takes all memory itself is ended, safe drives the outputs',
    log !== '' && safe.startsWith('1 of 1'),
    `${restarts} restarts; ${log}; ${safe}`,
  )
  rmSync('/etc/damselfly/actions/grow.mjs')
  writeFileSync(yaml, text)
  await allow('50%')
  await systemctl('restart', 'damselfly')
  await serves(await property('MainPID'), 'started again')
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
  const refused = await shell(client, 'echo started', 3)
  const told = await journal('"step failed"', begun)
  promise(
    'another program is not started, and the log says why',
    refused === undefined && /"rule":"shell"/.test(told) && /EAGAIN/.test(told),
    told,
  )
  const times = figure('pids.events', 'max')
  promise(
    'a program that starts itself again and again is held at 128 tasks',
    most === 128 && times > 0,
    `${most} tasks, ${times} more were refused`,
  )
  await serves(pid, 'meanwhile')
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
    else {
      socket.destroy()
      break
    }
  }
  return sockets
}

async function connections() {
  const sockets = await open(100)
  promise('MAX_CONNECTIONS of 100: so many come in', sockets.length === 100, `${sockets.length}`)
  const more = [...(await open(1, 100)), ...(await open(1, 101)), ...(await open(1, 102))]
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

/** Fewer descriptors than clients: nobody should set that, and nobody dies of it. */
async function files() {
  writeFileSync('/etc/damselfly/.env', 'GPIO_CHIP=auto\n')
  await dropIn('files', 'LimitNOFILE=256')
  const begun = Date.now()
  await systemctl('restart', 'damselfly')
  const pid = await property('MainPID')
  const log = await journal('fewer files may be open', begun)
  promise('256 descriptors for 10,240 clients: the log says so', /"remedy"/.test(log), log)
  const sockets = await open(260)
  promise(
    'as many come in as there are',
    sockets.length > 150 && sockets.length < 256,
    `${sockets.length} of 260`,
  )
  for (const socket of sockets) socket.destroy()
  await sleep(1_000)
  await serves(pid, 'when they have gone')
}

function mib(bytes) {
  return `${(bytes / 1_048_576).toFixed(0)} MiB`
}
