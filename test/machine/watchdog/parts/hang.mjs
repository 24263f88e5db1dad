import { appendFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import {
  connect,
  dropIn,
  entries,
  journal,
  promise,
  property,
  sleep,
  systemctl,
  until,
} from '../../service.mjs'

const yaml = '/etc/damselfly/damselfly.yaml'
const lamp = () => readFileSync(`${process.env.PI}/sim_gpio17/value`, 'utf8').trim()
const options = 'options: (z) => z.object({ hog: z.number() })'

/** Actions that their owner should not have written. */
const actions = {
  // for so long nothing else happens in the process
  hog: `export default { name: 'hog', ${options}, run({ options }) { const end = Date.now() + options.hog; while (Date.now() < end); } }`,
  // as a mistake in the broker would do: the process lives, and no message arrives anywhere
  mute: `export default { name: 'mute', options: (z) => z.object({ mute: z.string() }), async run() {
    const { Aedes } = await import('/usr/lib/damselfly/node_modules/aedes/aedes.js')
    Aedes.prototype.publish = () => {}
  } }`,
}
const rules = `
  - { name: hog, on: house/hog, do: { hog: 600000 } }
  - { name: short hog, on: house/short, do: { hog: 1500 } }
  - { name: mute, on: house/mute, do: { mute: x } }
`

/** Gives the service what it hangs of. */
export async function prepare() {
  for (const [name, text] of Object.entries(actions))
    writeFileSync(`/etc/damselfly/actions/${name}.mjs`, text)
  appendFileSync(yaml, rules)
  await dropIn('watchdog', 'WatchdogSec=5')
  await systemctl('restart', 'damselfly')
}

export async function stopped() {
  await sleep(8_000)
  promise(
    'a daemon that lives is left alone by a watchdog of 5 s',
    (await property('NRestarts')) === '0',
    '8 s',
  )
  await hangs('SIGSTOP', () => systemctl('kill', '--kill-whom=main', '-s', 'STOP', 'damselfly'))
}

export const blocked = () =>
  hangs('an action that never gives the process back', (client) =>
    client.publish('house/hog', '').catch(() => {}),
  )

export const deaf = async () => {
  const begun = Date.now()
  await hangs('a broker that lives and serves nobody', (client) =>
    client.publish('house/mute', '').catch(() => {}),
  )
  const log = await journal('watchdog probe has not come back', begun)
  promise('of which the daemon speaks itself', log !== '', log)
}

/** @param hang makes the daemon hang; it may never resolve */
async function hangs(what, hang) {
  const client = await connect()
  await client.publish('home/lamp', 'on')
  await until((value) => value === '1', lamp)
  const before = await property('MainPID')
  const restarts = Number(await property('NRestarts'))
  const begun = Date.now()
  void hang(client)
  await until(
    (count) => Number(count) > restarts,
    () => property('NRestarts'),
    40,
  )
  const state = await until(
    (text) => text === 'active',
    () => property('ActiveState'),
    30,
  )
  const afterMs = Date.now() - begun
  client.end()
  const [entry] = (await entries(begun)).filter(({ MESSAGE }) => `${MESSAGE}`.includes('Watchdog timeout'))
  const endedMs = Math.round(Number(entry?.__REALTIME_TIMESTAMP) / 1_000 - begun)
  promise(
    `${what}: the watchdog of 5 s ends it, and the log says so`,
    endedMs < 9_000,
    `after ${endedMs} ms: ${entry?.MESSAGE}`,
  )
  const safe = await journal('outputs driven', begun)
  promise('safe drives the outputs', safe.startsWith('1 of 1'), safe)
  const next = await connect()
  await next?.publish('home/lamp', 'on')
  const lit = await until((value) => value === '1', lamp)
  const isAnother = (await property('MainPID')) !== before
  promise('and another one serves', state === 'active' && isAnother && lit === '1', `after ${afterMs} ms`)
  await next?.publish('home/lamp', 'off')
  next?.end()
}

export async function short() {
  const restarts = await property('NRestarts')
  const pid = await property('MainPID')
  const client = await connect()
  client.publish('house/short', '')
  await sleep(6_000)
  const isSame = (await property('NRestarts')) === restarts && (await property('MainPID')) === pid
  promise(
    'an action that takes the process for 1.5 s is left alone',
    isSame && client.isConnected(),
    `process ${pid}`,
  )
  client.end()
}

/** A stop that the daemon cannot hear. */
export async function stuck() {
  await dropIn('watchdog', 'TimeoutStopSec=15') // for safe, too, which is slow here
  await systemctl('restart', 'damselfly')
  const client = await connect()
  await client.publish('home/lamp', 'on')
  await until((value) => value === '1', lamp)
  client.publish('house/hog', '').catch(() => {}) // never acknowledged
  await sleep(500)
  const begun = Date.now()
  await systemctl('stop', 'damselfly')
  const tookMs = Date.now() - begun
  client.end()
  const log = await journal('timed out', begun)
  const safe = await journal('outputs driven', begun)
  promise(
    'a stop that it does not hear: killed, and safe all the same',
    log !== '' && safe.startsWith('1 of 1'),
    `${tookMs} ms; ${log}; ${safe}`,
  )
  await dropIn('watchdog', '')
  const text = readFileSync(yaml, 'utf8')
  writeFileSync(yaml, text.replace(rules, ''))
  for (const name of Object.keys(actions)) rmSync(`/etc/damselfly/actions/${name}.mjs`)
}
