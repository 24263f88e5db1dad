import { connect, journal, promise, property, sh, sleep, until } from '../../service.mjs'
import { ask } from '../ask.mjs'
import { lamp, lampIs } from './start.mjs'

const ip = (line) => sh('ip', ...line.split(' '))

/** Until the service listens there, or no more. */
const listens = (address, seconds = 20) =>
  until(
    ({ stdout }) => stdout.includes(`${address}:1883`),
    () => sh('ss', '-ltnH'),
    seconds,
  )

/** The network comes, moves, and goes. */
export async function network() {
  const pid = await property('MainPID')
  const early = await ask('message', '10.77.0.2', 'home/lamp', 'on')
  promise('without a network nobody comes from there', !early.isOk, early.why)
  await comes()
  await moves()
  await blinks()
  await isGone()
  const now = await property('MainPID')
  promise('the same process all the while', now === pid, `process ${now}`)
}

async function comes() {
  const begun = Date.now()
  await sh('net-up')
  await listens('10.77.0.2')
  const afterMs = Date.now() - begun
  promise(
    'the network comes: it listens there by itself',
    afterMs < 15_000,
    `${afterMs} ms; ${await journal('"msg":"listening"', begun)}`,
  )
  const message = await ask('message', '10.77.0.2', 'home/lamp', 'on')
  promise(
    'a message from another machine moves the pin',
    message.isOk && (await lampIs('1')) === '1',
    `GPIO17 ${lamp()}`,
  )
  await ask('message', '10.77.0.2', 'home/lamp', 'off')
  promise('and back', (await lampIs('0')) === '0')
  const found = await ask('discover')
  promise('mDNS tells it', found.includes('10.77.0.2'), found)
}

async function moves() {
  const begun = Date.now()
  await ip('address del 10.77.0.2/24 dev eth0')
  await ip('address add 10.77.0.7/24 dev eth0')
  await ip('route replace default via 10.77.0.1')
  const found = await listens('10.77.0.7')
  promise(
    'another address: it listens there',
    found.stdout.includes('10.77.0.7:1883'),
    await journal('LAN address changed', begun),
  )
  promise('and no more at the one before', !found.stdout.includes('10.77.0.2'), `${Date.now() - begun} ms`)
  const told = await ask('discover')
  promise('mDNS tells the new one', told.includes('10.77.0.7') && !told.includes('10.77.0.2'), told)
  const message = await ask('message', '10.77.0.7', 'home/lamp', 'on')
  promise('where messages arrive', message.isOk && (await lampIs('1')) === '1')
}

async function blinks() {
  await ask('stay', '10.77.0.7')
  await ip('link set eth0 down')
  await sleep(6_000)
  const during = await listens('10.77.0.7', 0)
  const client = await connect()
  await client.publish('house/said', 'while the link was down')
  promise(
    'the link is down for 6 s: it listens on',
    during.stdout.includes('10.77.0.7:1883') && client !== undefined,
  )
  await ip('link set eth0 up')
  await ip('route replace default via 10.77.0.1')
  const log = await until(
    (events) => events.includes('house/said'),
    () => ask('log'),
    20,
  )
  promise('no connection is lost, and no message', log.join() === 'connect,house/said', log.join())
  client.end()
}

async function isGone() {
  await sleep(5_000) // so that it is seen that the link was up in between
  const begun = Date.now()
  await ip('link set eth0 down')
  const lost = await journal('LAN address lost', begun, 25)
  const afterMs = Date.now() - begun
  const left = await until(
    ({ stdout }) => !stdout.includes('10.77.0.7'),
    () => sh('ss', '-ltnH'),
  )
  promise(
    'down for longer than 10 s: it listens there no more, and on loopback all the while',
    lost !== '' &&
      afterMs > 9_000 &&
      !left.stdout.includes('10.77.0.7') &&
      left.stdout.includes('127.0.0.1:1883'),
    `${afterMs} ms; ${lost}`,
  )
  await ip('link set eth0 up')
  await ip('route replace default via 10.77.0.1')
  await listens('10.77.0.7')
  const log = await until(
    (events) => events.filter((event) => event === 'connect').length === 2,
    () => ask('log'),
    20,
  )
  promise(
    'the link comes back: so do the listener and its client',
    log.join().endsWith('close,connect'),
    log.join(),
  )
  await ask('leave')
}
