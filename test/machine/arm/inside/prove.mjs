// On the arm64 machine, under systemd: the package, the first message, and a real GPIO chip (the board's PL061, 8 lines).
// Line 3 is wired to the machine's power button, which the host presses when a line here says so.
import { execFile, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dropIn, end, failureCount, journal, promise, until } from '../../proof.mjs'

/** What anything may take: all is emulated, and perhaps on a busy host. */
const seconds = 600

const sh = (program, ...args) =>
  new Promise((resolve) => {
    execFile(program, args, { cwd: '/', timeout: seconds * 1_000 }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), text: `${stdout}${stderr}`.trim() }),
    )
  })
const systemctl = (...args) => sh('systemctl', ...args)
const damselfly = (...args) => sh('damselfly', ...args)
const property = async (name) => (await systemctl('show', 'damselfly', `--property=${name}`, '--value')).text
const settings = new URL('pins.yaml', import.meta.url)

await sh('mount', '-t', 'debugfs', 'none', '/sys/kernel/debug')
promise(
  'an arm64 kernel, with systemd',
  (await sh('uname', '-rm')).text.endsWith('aarch64'),
  (await sh('uname', '-rm')).text,
)
await dropIn('slow', `TimeoutStartSec=${seconds}\nTimeoutStopSec=${seconds}\nWatchdogSec=${seconds}`)
await install()
await firstMessage()
await pins('64-bit')
await crash()
await systemctl('stop', 'damselfly')
if (existsSync('/dev/vdc')) await as32Bit()
if (failureCount() > 0)
  console.log((await sh('journalctl', '--no-pager', '-o', 'short-monotonic', '-u', 'damselfly')).text)
end()

async function install() {
  const done = await sh('dpkg', '--install', '/job/damselfly.deb')
  promise('the package installs', done.code === 0, done.text.split('\n').at(-1))
  const state = await until(
    (text) => text === 'active',
    () => property('ActiveState'),
    seconds,
  )
  promise('… and the service runs', state === 'active', (await property('StatusText')) || state)
  const enabled = (await systemctl('is-enabled', 'damselfly')).text
  promise('… and starts with the machine', enabled === 'enabled', enabled)
  if (state !== 'active')
    throw new Error((await systemctl('status', '--no-pager', '--lines=40', 'damselfly')).text)
  const maps = readFileSync(`/proc/${await property('MainPID')}/maps`, 'utf8')
  const loaded = ['koffi', 'classic-level'].filter(
    (name) => maps.includes(`node_modules/${name}`) || maps.includes(`/${name}`),
  )
  promise('koffi and the store are loaded', loaded.length === 2, loaded)
}

async function firstMessage() {
  const answer = listen('hello/answer')
  await answer.subscribed
  const sent = await damselfly('pub', '-t', 'hello', '-m', 'Pi', '-q', '1')
  const [said] = await answer.until('Hello Pi')
  promise('the first message is answered', said === 'Hello Pi', said ?? sent.text)
}

/** A rule moves a line of the kernel's chip, and a line of the chip makes a message. */
async function pins(width) {
  await save()
  const held = await line(0, (text) => text.includes('damselfly'))
  promise(`${width}: an output is taken, off`, /out lo/.test(held), held)
  for (const [message, level] of [
    ['ON', 'hi'],
    ['OFF', 'lo'],
  ]) {
    await damselfly('pub', '-t', 'home/lamp/set', '-m', `{"msg":"${message}"}`, '-q', '1')
    const seen = await line(0, (text) => text.includes(`out ${level}`))
    promise(`${width}: ${message} drives the line ${level}`, seen.includes(`out ${level}`), seen)
  }
  const button = listen('home/button')
  await button.subscribed
  console.log('press the button')
  const edges = await button.until('on', 'off')
  promise(
    `${width}: a press makes two messages, by the kernel’s interrupt`,
    edges.slice(-2).join() === 'on,off',
    edges,
  )
}

async function save() {
  copyFileSync(settings, '/etc/damselfly/damselfly.yaml')
}

async function crash() {
  const since = Date.now()
  await systemctl('kill', '--signal=KILL', '--kill-whom=main', 'damselfly')
  const safe = await journal('on_stop', since, seconds)
  promise('after kill -9 `damselfly safe` drives the outputs', safe !== '', safe)
  const state = await until(
    (text) => text === '1',
    () => property('NRestarts'),
    seconds,
  )
  promise('… and systemd starts it again', state === '1', `NRestarts=${state}`)
  await until(
    (text) => text === 'active',
    () => property('ActiveState'),
    seconds,
  )
}

/** Raspberry Pi OS of 32 bits has a kernel of 64 bits on a Pi 3 and newer: its ioctls go through the compatibility layer. */
async function as32Bit() {
  const root = '/mnt/armhf'
  mkdirSync(root, { recursive: true })
  await sh('mount', '/dev/vdc', root)
  for (const folder of ['dev', 'proc', 'sys']) await sh('mount', '--rbind', `/${folder}`, `${root}/${folder}`)
  const unpacked = await sh('dpkg-deb', '--extract', '/job/damselfly-armhf.deb', root)
  promise('the armhf package unpacks', unpacked.code === 0, unpacked.text)
  const node = await sh('chroot', root, 'node', '-p', 'process.arch + " " + process.version')
  promise('a Node of 32 bits runs on the same kernel', node.text.startsWith('arm '), node.text)
  copyFileSync(settings, `${root}/etc/damselfly/damselfly.yaml`)
  const log = []
  const command = [
    'env',
    'CONFIG_DIR=/etc/damselfly',
    'DATA_DIR=/tmp/data',
    'LOG_FORMAT=json',
    'damselfly',
    'start',
  ]
  const daemon = spawn('chroot', [root, ...command], { stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [daemon.stdout, daemon.stderr]) stream.on('data', (chunk) => log.push(String(chunk)))
  const ready = await until(
    (text) => text.includes('"ready"'),
    () => log.join(''),
    seconds,
  )
  promise('the daemon starts there', ready.includes('"ready"'), ready.includes('"ready"') ? '' : ready)
  await pins('32-bit')
  daemon.kill()
  await new Promise((resolve) => daemon.once('exit', resolve))
}

/** What the kernel says of a line of its own: waited for. */
function line(offset, isSo) {
  const find = () => {
    const lines = readFileSync('/sys/kernel/debug/gpio', 'utf8').split('\n')
    const base = /GPIOs (\d+)-/.exec(lines.find((text) => text.includes('pl061')) ?? '')?.[1]
    return (
      lines.find((text) => text.trim().startsWith(`gpio-${Number(base) + offset} `))?.trim() ??
      lines.join('|')
    )
  }
  return until(isSo, find, seconds)
}

/** `damselfly sub`, which says when the broker has its subscription. */
function listen(topic) {
  const child = spawn('damselfly', ['sub', '-t', topic, '-q', '1', '-d'], {
    cwd: '/',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const heard = []
  child.stdout.on('data', (chunk) =>
    heard.push(
      ...String(chunk)
        .split('\n')
        .filter((text) => text !== ''),
    ),
  )
  const messages = () => heard.filter((text) => !/^(Client|Subscribed)/.test(text))
  return {
    subscribed: until(
      (found) => found,
      () => heard.some((text) => text.startsWith('Subscribed')),
      seconds,
    ),
    /** Waits until these are the newest messages. @returns all of them */
    async until(...newest) {
      const isSo = (texts) => texts.slice(-newest.length).join() === newest.join()
      const found = await until(isSo, messages, seconds)
      child.kill()
      return found
    },
  }
}
