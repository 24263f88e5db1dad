import { appendFileSync, readFileSync } from 'node:fs'
import { journal, promise, property, sh, systemctl, until } from '../../proof.mjs'
import { dpkg, etc, level, packages, retained, state } from '../kit.mjs'

export async function prove() {
  appendFileSync(`${etc}/.env`, 'NAME=shed\n')
  const begun = Date.now()
  appendFileSync(`${etc}/damselfly.yaml`, '  - { on: home/lamp, do: { gpio: lamp, set: "${payload}" } }\n')
  await journal('configuration reloaded', begun)
  await sh('mosquitto_pub', '-r', '-q', '1', '-t', 'kept/message', '-m', 'as it was')
  const before = [read('.env'), read('damselfly.yaml'), await property('MainPID')]
  await sh('mosquitto_pub', '-t', 'home/lamp', '-m', 'on') // for as long as nobody says otherwise
  const lamp = await until(
    (value) => value === '1',
    () => level(17),
  )
  const { code, text } = dpkg('-i', packages.second)
  promise(
    'an upgrade over edited conffiles asks nobody',
    code === 0 && !/What would you like|conffile prompt/.test(text),
    text,
  )
  const version = (await sh('dpkg-query', '-W', '-f', '${Version} ${Status}', 'damselfly')).text
  promise(
    'the new version is installed',
    version.includes('installed') && packages.second.includes(version.split(' ')[0]),
    version,
  )
  promise(
    'it was restarted',
    (await state()) === 'active running enabled' && (await property('MainPID')) !== before[2],
    await state(),
  )
  promise(
    'and the pin went to its on_stop meanwhile',
    lamp === '1' && level(17) === '0',
    `GPIO17 ${lamp}, then ${level(17)}`,
  )
  promise(
    'settings are as the owner wrote them',
    read('.env') === before[0] && read('damselfly.yaml') === before[1],
  )
  const message = await retained('kept/message')
  promise('what was retained is there', message === 'as it was', message)

  dpkg('-i', packages.first) // a way back, and something to upgrade again
  await systemctl('stop', 'damselfly')
  dpkg('-i', packages.second)
  promise('one that was stopped stays stopped', (await state()) === 'inactive dead enabled', await state())
  await systemctl('disable', 'damselfly')
  dpkg('-i', packages.first)
  promise('one that was disabled stays disabled', (await state()) === 'inactive dead disabled', await state())
  await systemctl('enable', '--now', 'damselfly')
}

function read(name) {
  return readFileSync(`${etc}/${name}`, 'utf8')
}
