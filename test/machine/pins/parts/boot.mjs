import { readFileSync } from 'node:fs'
import { left } from '../edge-log.mjs'
import { connect, isActive, lines as numbers, promise, statesAgree, until, watch } from '../kit.mjs'

/** What the lines did while the machine went down, and since it is up again. */
export async function prove() {
  left(readFileSync('/run/host/wire', 'latin1'), 'reboot', numbers, promise)
  await until((isUp) => isUp, isActive, 150)
  const lines = watch(0)
  await lines.had('porch', 3)
  const wanted = { up: '0', down: '0', valve: '0', lamp: '10', relay: '01', fan: '01', porch: '010' }
  const isSo = Object.entries(wanted).every(
    ([pin, levels]) => lines.levels(pin) === levels && lines.taken(pin) === 1,
  )
  lines.promise(
    'from boot to the service running each line takes initial, once, and never the other level',
    isSo,
    Object.keys(wanted),
  )
  const [on, off] = lines.edges('porch')
  promise(
    'max_on counts for a pin that begins on',
    off.byMs - on.afterMs >= 2_000 && off.afterMs - on.byMs < 3_000,
    `${Math.round(off.byMs - on.byMs)} ms`,
  )
  await statesAgree()
  const client = await connect()
  const total = await until(
    (text) => text !== undefined,
    () => client.state('water'),
    5,
  )
  promise('a counter goes on where it was at the clean end', Number(total) >= 1_000, `water ${total}`)
  client.end()
}
