import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { connect, damselfly, promise, property, sleep, systemctl, until } from '../kit.mjs'

// What the pins do then is told by the job `pins`.
export async function prove() {
  await killed()
  await misconfigured()
}

async function killed() {
  const begun = Date.now()
  const pid = await property('MainPID')
  await systemctl('kill', '--kill-whom=main', '-s', 'KILL', 'damselfly')
  const state = await until(
    ([now, state]) => now !== pid && state === 'active',
    async () => [await property('MainPID'), await property('ActiveState')],
    60,
  )
  promise('kill -9: the daemon is back', state[1] === 'active', `after ${Date.now() - begun} ms`)
  const client = await connect()
  const status = `damselfly/${hostname()}/status`
  const said = await until(
    (text) => text === 'online',
    () => client.seen[status],
  )
  promise('and says that it is online', said === 'online', said)
  client.end()
}

async function misconfigured() {
  const env = readFileSync('/etc/damselfly/.env')
  appendFileSync('/etc/damselfly/.env', '\nPORT=many\n')
  await systemctl('stop', 'damselfly')
  await systemctl('reset-failed', 'damselfly')
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
