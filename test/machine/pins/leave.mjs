import { writeFileSync } from 'node:fs'
import { connect, nowMs, sh, sleep, systemctl, until } from './kit.mjs'

/** Lets the machine reboot or power off while the relay is on; the log goes on outside. Never returns. */
export async function leave(how, remember) {
  const client = await connect()
  await client.set('relay', 'on')
  await until(
    (state) => state === 'on',
    () => client.state('relay'),
  )
  client.end()
  const failures = remember()
  if (how === 'poweroff') writeFileSync('/run/host/rc', `${failures === 0 ? 0 : 1}\n`)
  await sh('sync')
  writeFileSync('/dev/ttyS0', `leave ${nowMs().toFixed(1)} ${how}\n`)
  await systemctl(how, '--no-block')
  await sleep(120_000)
  throw new Error(`still here after a ${how}`)
}
