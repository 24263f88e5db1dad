import { readFileSync } from 'node:fs'
import { connect, entries, journal, promise, property, sh, until } from '../../service.mjs'

export const lamp = () => readFileSync(`${process.env.PI}/sim_gpio17/value`, 'utf8').trim()
export const lampIs = (value, seconds = 10) => until((found) => found === value, lamp, seconds)

/** Before there is a network. */
export async function start() {
  const tried = await until(
    (count) => Number(count) >= 2,
    () => property('NRestarts'),
    60,
  )
  const denied = await journal('may not open /dev/gpiochip0', 0)
  promise(
    'a chip that it may not open yet: told, and tried again each second',
    Number(tried) >= 2 && denied !== '',
    `${tried} restarts; ${denied}`,
  )
  await sh('chgrp', 'gpio', '/dev/gpiochip0')
  await sh('chmod', '0660', '/dev/gpiochip0')
  const state = await until(
    (text) => text === 'active',
    () => property('ActiveState'),
    60,
  )
  const addresses = (await sh('ip', '-oneline', 'address')).text
  const isAlone = !addresses.includes('eth0    inet')
  const sinceMs = Number(await property('ActiveEnterTimestampMonotonic')) / 1_000
  promise(
    'active before there is any network',
    state === 'active' && isAlone,
    `${sinceMs} ms after the kernel began; ${addresses.split('\n').length} addresses, all of lo`,
  )
  const after = await property('After')
  promise('it waits for no network', !/network-online/.test(after), after)

  const log = (await entries(0)).map(({ MESSAGE }) => `${MESSAGE}`)
  const ready = log.find((line) => line.includes('"msg":"ready"')) ?? '{}'
  promise(
    'once it may: with the real chip, on loopback',
    /"addresses":\["127\.0\.0\.1"(,"::1")?\]/.test(ready) && /gpiochip0/.test(ready),
    ready,
  )
  const waiting = log.find((line) => line.includes('no LAN address yet'))
  promise('the log says that it waits for an address', waiting !== undefined, waiting)

  const client = await connect()
  await client.publish('home/lamp', 'on')
  promise('a message from this machine moves the pin', (await lampIs('1')) === '1', `GPIO17 ${lamp()}`)
  await client.publish('home/lamp', 'off')
  client.end()
}
