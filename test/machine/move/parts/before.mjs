import { dropIn, promise, property, systemctl, until } from '../../proof.mjs'
import { roundOnceBack, startClients } from '../clients.mjs'
import { bridgeWorks, fillRetained, moveIn, retainedCount, retainedFound, unitState } from '../house.mjs'

/** Mosquitto as it is, and moves that fail. @returns how to go on: as when the power is cut in the middle of a move */
export async function prove() {
  const clients = startClients()
  await fillRetained()
  const wrong = await roundOnceBack(clients, 'begin')
  promise(`with mosquitto: ${clients.length} clients`, wrong.length === 0, wrong.join('\n'))
  promise('with mosquitto: retained messages', (await retainedFound()) === retainedCount, retainedCount)
  promise('with mosquitto: the bridge, both ways', await bridgeWorks('begin'))

  await goesBack(
    'a port below 1024 that the service may not have',
    clients,
    /not allowed to listen on port 880/,
  )
  const thief = 'ExecStartPre=+systemctl stop thief\nExecStopPost=+systemctl start thief'
  await dropIn('thief', thief, 'mosquitto')
  await goesBack('a port that somebody takes meanwhile', clients, /port 9001 .* is taken/)
  await dropIn('thief', '', 'mosquitto')
  await dropIn('broken', 'ExecStartPre=/bin/false')
  await goesBack('a start that fails', clients, /did not start/)
  await dropIn('broken', '')
  promise('and all retained messages are there', (await retainedFound()) === retainedCount, retainedCount)
  promise('and the bridge works', await bridgeWorks('again'))
  await moveUntilItStarts()
  return () => systemctl('reboot', '--force', '--force')
}

async function goesBack(what, clients, reason) {
  const { code, text } = await moveIn()
  const said = text.split('\n').find((line) => reason.test(line))
  promise(`${what}: the move fails and says why`, code !== 0 && said !== undefined, said ?? text)
  const [theirs, ours] = [await unitState('mosquitto'), await unitState('damselfly')]
  promise('mosquitto is back', theirs === 'active enabled', theirs)
  promise(
    'Damselfly neither runs nor starts with the machine',
    /^(inactive|failed) disabled$/.test(ours),
    ours,
  )
  const wrong = await roundOnceBack(clients, what.replaceAll(' ', '-'))
  promise('the clients go on', wrong.length === 0, wrong.join('\n'))
}

async function moveUntilItStarts() {
  await dropIn('broken', 'ExecStartPre=/bin/sleep 30')
  moveIn()
  const state = await until(
    (text) => text === 'activating',
    () => property('ActiveState'),
    60,
  )
  promise('mosquitto has stopped, Damselfly starts: the power is cut', state === 'activating', state)
}
