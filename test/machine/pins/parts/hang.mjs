import {
  connect,
  damselfly,
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
  await long()
  await dropIn('watchdog', '')
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

/** On a machine that has other work safe takes long; the promise is about one that has not. Alone it takes up to 2 s here. */
async function tooBusyMs() {
  const begun = Date.now()
  await damselfly('safe') // finds all lines busy
  const tookMs = Date.now() - begun
  return Math.max(0, 2 * tookMs - 4_000)
}

async function long() {
  const busyMs = await tooBusyMs()
  const pid = await mainPid()
  const begun = Date.now()
  const lines = watch()
  await lampOn()
  process.kill(pid, 'SIGSTOP')
  const isUp = await isBack(pid)
  const log = await journal('Watchdog timeout', begun)
  const [on, off] = lines.edges('lamp')
  const tookMs = (off?.byMs ?? Number.POSITIVE_INFINITY) - on?.afterMs
  const boundMs = Math.max(maxOnMs, watchdogMs) + 5_000 + busyMs
  lines.promise(
    `stopped by SIGSTOP: off within max_on (${maxOnMs} ms) or the watchdog's time (${watchdogMs} ms) plus 5 s`,
    log !== '' && tookMs < boundMs,
    ['lamp', 'valve'],
    `${Math.round(tookMs)} ms${busyMs === 0 ? '' : `, with ${busyMs} ms more for a machine that is busy with something else`}; ${log}`,
  )
  promise('and the daemon is back', isUp)
  await statesAgree()
}
