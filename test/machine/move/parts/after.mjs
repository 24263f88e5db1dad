import { promise, sh, systemctl, until } from '../../proof.mjs'
import { roundOnceBack, startClients } from '../clients.mjs'
import { bridgeWorks, retainedCount, retainedFound, unitState } from '../house.mjs'

/** After a reboot, and the way back by hand. */
export async function prove() {
  const states = async () => `${await unitState('mosquitto')}, ${await unitState('damselfly')}`
  // the job starts beside it, and not after it
  const booted = await until((text) => !text.includes('activating'), states, 60)
  promise(
    'after a reboot Damselfly runs, and mosquitto does not',
    booted === 'inactive disabled, active enabled',
    booted,
  )
  const clients = startClients()
  await works(clients, 'after a reboot')

  const restart = await systemctl('restart', 'damselfly')
  promise('systemctl restart', restart.code === 0, restart.text)
  await works(clients, 'after a restart')

  const { code } = await sh(
    'sh',
    '-c',
    'systemctl disable --now damselfly && systemctl enable --now mosquitto',
  )
  const back = await states()
  promise('back by hand', code === 0 && back === 'active enabled, inactive disabled', back)
  await works(clients, 'with mosquitto again')
}

async function works(clients, when) {
  const wrong = await roundOnceBack(clients, when.replaceAll(' ', '-'))
  promise(`${when}: the clients`, wrong.length === 0, wrong.join('\n'))
  const found = await retainedFound()
  promise(`${when}: the retained messages`, found === retainedCount, found)
  promise(`${when}: the bridge`, await bridgeWorks(when.replaceAll(' ', '-')))
}
