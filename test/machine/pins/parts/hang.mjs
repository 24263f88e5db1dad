import {
  connect,
  dropIn,
  isBack,
  journal,
  mainPid,
  promise,
  sleep,
  statesAgree,
  systemctl,
  watch,
} from '../kit.mjs'

const watchdogMs = 5_000
const maxOnMs = 3_000

export async function prove() {
  await brief()
  await dropIn('watchdog', `WatchdogSec=${watchdogMs}ms`)
  await systemctl('restart', 'damselfly')
  await alive()
  await long()
  await deaf()
  await dropIn('watchdog', '')
  await systemctl('start', 'damselfly')
  await statesAgree()
}

async function alive() {
  const pid = await mainPid()
  await sleep(watchdogMs * 1.5)
  promise('a daemon that lives is left alone by its watchdog', (await mainPid()) === pid, `process ${pid}`)
}

async function lampOn() {
  const client = await connect()
  await client.set('lamp', 'on')
  client.end()
}

async function brief() {
  const pid = await mainPid()
  const lines = watch()
  await lampOn()
  process.kill(pid, 'SIGSTOP')
  await sleep(maxOnMs + 1_000)
  process.kill(pid, 'SIGCONT')
  await lines.had('lamp', 3)
  lines.promise(
    'max_on that runs out while the daemon stands still: off as soon as it goes on',
    lines.levels('lamp') === '010',
    ['lamp'],
  )
}

async function long() {
  const pid = await mainPid()
  const begun = Date.now()
  const lines = watch()
  await lampOn()
  process.kill(pid, 'SIGSTOP')
  const isUp = await isBack(pid)
  const log = await journal('Watchdog timeout', begun)
  const [on, off] = lines.edges('lamp')
  const tookMs = (off?.byMs ?? Number.POSITIVE_INFINITY) - on?.afterMs
  const boundMs = Math.max(maxOnMs, watchdogMs) + 5_000
  lines.promise(
    `stopped by SIGSTOP: off within max_on (${maxOnMs} ms) or the watchdog's time (${watchdogMs} ms) plus 5 s`,
    log !== '' && tookMs < boundMs,
    ['lamp', 'valve'],
    `${Math.round(tookMs)} ms; ${log}`,
  )
  promise('and the daemon is back', isUp)
  await statesAgree()
}

/** A stop that the daemon cannot hear, for an action that its owner wrote does not end. */
async function deaf() {
  await dropIn('watchdog', 'TimeoutStopSec=6') // for safe, too, with what it holds
  const client = await connect()
  await client.set('relay', 'on')
  client.publish('house/spin', '').catch(() => {}) // never acknowledged
  await sleep(500)
  const begun = Date.now()
  const lines = watch()
  await systemctl('stop', 'damselfly')
  client.end()
  const log = await journal('timed out', begun)
  const isSafe = /^010?$/.test(lines.levels('relay')) && /^010?$/.test(lines.levels('valve'))
  lines.promise(
    'a stop that it does not hear: killed, and on_stop all the same',
    log !== '' && isSafe,
    ['relay', 'valve'],
    log,
  )
}
