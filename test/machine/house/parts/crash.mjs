import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import {
  connect,
  damselfly,
  dropIn,
  journal,
  level,
  promise,
  property,
  pull,
  sleep,
  systemctl,
  until,
  watchLevel,
} from '../kit.mjs'

// The kernel here gives a released line back to its pull, a Pi's does not: hence --hold.
const unit = readFileSync('/etc/systemd/system/damselfly.service', 'utf8')
const held = `ExecStopPost=\n${/^ExecStopPost=.*$/m.exec(unit)[0]} --hold 2s`

export async function prove() {
  // against what is expected, so that a line that nobody drives shows
  await pull(5, 'down')
  await pull(17, 'up')
  await dropIn('hold', held)
  await killed()
  await killedWhole()
  await dropIn('watchdog', 'WatchdogSec=5')
  await hung()
  await stopped()
  await stuck()
  await misconfigured()
}

/** Ends the daemon in some way while the lamp is on and the valve off. @returns what the lines did until it is back */
async function end(quietMs, ...how) {
  await systemctl('reset-failed', 'damselfly')
  const client = await connect()
  const topic = `damselfly/${hostname()}/pins/lamp`
  await client.answer(topic, `${topic}/set`, 'on')
  client.end()
  const restarts = Number(await property('NRestarts'))
  const begun = Date.now()
  const [valve, lamp] = [watchLevel(5), watchLevel(17)]
  await systemctl('kill', ...how, 'damselfly')
  await sleep(quietMs) // asking takes time from what is measured
  await until(
    (count) => Number(count) > restarts,
    () => property('NRestarts'),
    40,
  )
  const state = await until(
    (text) => text === 'active',
    () => property('ActiveState'),
    20,
  )
  const backMs = Date.now() - begun
  for (const watch of [valve, lamp]) watch.stop()
  return { begun, valve, lamp, state, backMs }
}

const firstAt = (value, watch) => watch.changes.find((change) => change.value === value)?.atMs
const highAt = (watch) => firstAt('1', watch)
const lowAt = (watch) => firstAt('0', watch)

async function killed() {
  const { begun, valve, lamp, state, backMs } = await end(4_000, '--kill-whom=main', '-s', 'KILL')
  promise('kill -9: a pin with on_stop: on is high within 2 s', highAt(valve) < 2_000, valve.text())
  promise(
    'one with on_stop: off is low',
    lowAt(lamp) < 2_000 && lamp.changes.at(-1).value === '0',
    lamp.text(),
  )
  promise(
    'safe says what it drove',
    (await journal('outputs driven', begun)).startsWith('3 of 3'),
    await journal('outputs driven', begun),
  )
  promise(
    'and the daemon is back',
    state === 'active',
    `after ${backMs} ms, of which safe held the lines for 2 s`,
  )
  const client = await connect()
  await until(
    (seen) => Object.keys(seen).length >= 5,
    () => client.seen,
  )
  const name = `damselfly/${hostname()}`
  promise(
    'its topics say the truth',
    client.seen[`${name}/pins/lamp`] === 'off' && client.seen[`${name}/status`] === 'online',
    JSON.stringify(client.seen),
  )
  client.end()
}

// @NOTE With systemd 257 on Linux 6.12 to kill the whole group kills what ExecStopPost= starts in it as well.
async function killedWhole() {
  const { lamp, state } = await end(4_000, '-s', 'KILL')
  const isBack = state === 'active' && lamp.changes.at(-1).value === '0'
  promise('a kill that takes safe with it: the restart brings initial', isBack, `${state}; ${lamp.text()}`)
}

async function hung() {
  await systemctl('restart', 'damselfly')
  await sleep(12_000)
  promise(
    'a daemon that lives is left alone by a watchdog of 5 s',
    (await property('NRestarts')) === '0',
    '12 s',
  )
  const { begun, valve, lamp, state, backMs } = await end(10_000, '-s', 'STOP')
  const log = await journal('Watchdog timeout', begun)
  promise('SIGSTOP: the watchdog ends it', log !== '', log)
  promise(
    'the pins are at on_stop in between',
    highAt(valve) < 9_000 && lowAt(lamp) < 9_000,
    `${valve.text()}; ${lamp.text()}`,
  )
  promise('and the daemon is back', state === 'active', `after ${backMs} ms`)
}

async function stopped() {
  await pull(17, 'down')
  await dropIn('hold', 'ExecStopPost=') // without safe: the daemon itself, and nobody else
  await systemctl('restart', 'damselfly')
  const client = await connect()
  await client.publish(`damselfly/${hostname()}/pins/lamp/set`, 'on')
  await until(
    (value) => value === '1',
    () => level(17),
  )
  const [valve, lamp] = [watchLevel(5), watchLevel(17)]
  const begun = Date.now()
  await systemctl('stop', 'damselfly')
  const tookMs = Date.now() - begun
  await sleep(100)
  for (const watch of [valve, lamp]) watch.stop()
  client.end()
  const pins = client.all.filter((text) => /pins\/(valve on|lamp off)$|status offline$/.test(text)).join(', ')
  promise(
    'stop: the daemon drives on_stop itself',
    lamp.changes.at(-1).value === '0' && pins.split(', ').length === 3,
    `${pins}; ${lamp.text()}; ${valve.text()}`,
  )
  promise(
    'a clean end',
    (await property('Result')) === 'success' && (await property('ExecMainStatus')) === '0',
    `${tookMs} ms`,
  )
  await dropIn('hold', held)
  const second = watchLevel(5)
  await systemctl('start', 'damselfly')
  await systemctl('stop', 'damselfly')
  second.stop()
  promise(
    'stop under the unit: safe drives it, too',
    second.changes.some(({ value }) => value === '1'),
    second.text(),
  )
}

/** A stop that the daemon cannot hear, for an action that its owner wrote does not end. */
async function stuck() {
  const yaml = '/etc/damselfly/damselfly.yaml'
  const good = readFileSync(yaml, 'utf8')
  const hog =
    "export default { name: 'hog', options: (z) => z.object({ hog: z.string() }), run() { for (;;); } }\n"
  writeFileSync('/etc/damselfly/actions/hog.js', hog)
  writeFileSync(yaml, `${good}  - { name: hog, on: house/hog, do: { hog: x } }\n`)
  await dropIn('watchdog', 'TimeoutStopSec=6') // for safe, too, with what it holds
  await systemctl('start', 'damselfly')
  const client = await connect()
  client.publish('house/hog', '').catch(() => {}) // never acknowledged
  await sleep(500)
  const valve = watchLevel(5)
  const begun = Date.now()
  await systemctl('stop', 'damselfly')
  valve.stop()
  client.end()
  const log = await journal('timed out', begun)
  promise(
    'a stop that it does not hear: killed, and on_stop all the same',
    log !== '' && highAt(valve) > 0,
    `${log} ${valve.text()}`,
  )
  await dropIn('watchdog', '')
  rmSync('/etc/damselfly/actions/hog.js')
  writeFileSync(yaml, good)
}

async function misconfigured() {
  const env = readFileSync('/etc/damselfly/.env')
  appendFileSync('/etc/damselfly/.env', '\nPORT=many\n')
  await systemctl('start', 'damselfly')
  await sleep(3_000)
  const state = `${await property('ActiveState')}, ${await property('NRestarts')} restarts`
  promise('a start with a mistake is not tried for ever', state === 'failed, 0 restarts', state)
  const status = await damselfly('service', 'status')
  promise('status: exit code 1', status.code === 1, status.text)
  writeFileSync('/etc/damselfly/.env', env)
  await systemctl('start', 'damselfly')
  promise('and it starts once it is right', (await property('ActiveState')) === 'active')
}
