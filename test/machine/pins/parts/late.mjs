import {
  dropIn,
  hold,
  isActive,
  journal,
  mainPid,
  promise,
  sh,
  statesAgree,
  systemctl,
  until,
  watch,
} from '../kit.mjs'

/** The service is installed where there is no chip; the chip comes later. */
export async function prove() {
  const begun = Date.now()
  const { code, text } = await sh('sh', '-c', 'cd /srv/house && damselfly service install')
  promise('the service starts without a chip', code === 0 && (await isActive()), text.split('\n').at(-1))
  const warning = await journal('pins are simulated', begun)
  promise('and says that its pins are simulated', warning.includes('no GPIO chip'), warning)

  const pid = await mainPid()
  process.kill(pid, 'SIGSTOP') // not to be faster than the log
  await systemctl('enable', '--now', 'chip', 'edges')
  const lines = watch()
  process.kill(pid, 'SIGCONT')
  await until(
    (levels) => levels === '01',
    () => lines.levels('fan'),
    30,
  )
  await lines.had('porch', 3)
  const isTaken =
    lines.levels('lamp') === '10' && lines.levels('relay') === '01' && lines.levels('fan') === '01'
  lines.promise(
    'a chip that comes later: the lines are taken, at initial',
    isTaken,
    ['lamp', 'relay', 'fan', 'porch'],
    await journal('GPIO chip opened', begun),
  )
  promise('by the same process', (await mainPid()) === pid, `process ${pid}`)
  await statesAgree()

  // where the host has other work a start takes minutes here, and the time for a stop is safe's as well
  await dropIn('patience', 'TimeoutStartSec=180\nTimeoutStopSec=90')
  await hold()
}
