import { readFileSync, rmSync } from 'node:fs'
import { damselfly, dropIn, journal, promise, property, sh, systemctl } from '../../proof.mjs'
import { round, roundOnceBack, startClients } from '../clients.mjs'
import { bridgeWorks, moveIn, retainedCount, retainedFound, unitState } from '../house.mjs'
import { proveConfinement } from './confinement.mjs'

/** After the power cut: the move itself, and what the service is then. */
export async function prove() {
  const states = `${await unitState('mosquitto')}, ${await unitState('damselfly')}`
  promise('after the power cut mosquitto runs', states === 'active enabled, inactive disabled', states)
  rmSync('/etc/systemd/system/damselfly.service.d', { recursive: true })
  const clients = startClients()
  const wrong = await roundOnceBack(clients, 'begin')
  promise(`${clients.length} clients are connected`, wrong.length === 0, wrong.join('\n'))

  // as the note of the import says
  await dropIn('port', 'AmbientCapabilities=CAP_NET_BIND_SERVICE\nCapabilityBoundingSet=CAP_NET_BIND_SERVICE')
  const { code, text } = await moveIn()
  promise(
    'damselfly import --switch ends with 0',
    code === 0,
    code === 0 ? text.match(/^copied \d+ retained messages$/m)?.[0] : text,
  )
  const [theirs, ours] = [await unitState('mosquitto'), await unitState('damselfly')]
  promise('mosquitto is stopped and disabled', theirs === 'inactive disabled', theirs)
  promise('damselfly is active and enabled', ours === 'active enabled', ours)
  const back = await roundOnceBack(clients, 'moved')
  promise('the same clients go on, with the same rights', back.length === 0, back.join('\n'))
  promise('all retained messages are there', (await retainedFound()) === retainedCount, retainedCount)
  promise('the bridge works, both ways', await bridgeWorks('moved'))
  const low = await sh(
    'mosquitto_pub',
    '-p',
    '880',
    '-u',
    'owner',
    '-P',
    "owner's secret",
    '-t',
    'x',
    '-m',
    'x',
  )
  promise('the port below 1024 answers', low.code === 0, low.text)

  await reloaded(clients)
  await proveConfinement(clients)
  const files = (
    await sh(
      'stat',
      '-c',
      '%n %a %U:%G',
      ...['.env', 'users', 'acl', 'damselfly.yaml'].map((name) => `/etc/damselfly/${name}`),
    )
  ).text
  promise('who may read the settings', !/(users|acl|\.env) \d\d[1-7]/.test(files), files)
}

/** A client is its identifier and the moment since when it is connected. */
async function connected() {
  const { stdout } = await damselfly('clients', '--json')
  return new Map(JSON.parse(stdout).clients.map(({ id, since }) => [id, since]))
}

async function reloaded(clients) {
  const before = await connected()
  const pid = await property('MainPID')
  const begun = Date.now()
  const added = await sh('sh', '-c', 'echo guest-secret | damselfly user add guest')
  promise('damselfly user add', added.code === 0, added.text)
  const acl = readFileSync('/etc/damselfly/acl', 'utf8')
  promise('the access control list is as it was', acl.includes('pattern readwrite devices/%u/#'))
  const reload = await systemctl('reload', 'damselfly')
  promise('systemctl reload', reload.code === 0, await journal('configuration reloaded', begun))
  const guest = await sh(
    'mosquitto_pub',
    '-d',
    '-u',
    'guest',
    '-P',
    'guest-secret',
    '-q',
    '1',
    '-t',
    'devices/guest/x',
    '-m',
    'x',
  )
  promise('the new user comes in', guest.code === 0, guest.text)
  const stranger = await sh('mosquitto_pub', '-u', 'guest', '-P', 'wrong', '-t', 'x', '-m', 'x')
  promise('with a wrong password nobody does', stranger.code !== 0, stranger.text)
  const after = await connected()
  const dropped = [...before].filter(([id, since]) => after.get(id) !== since).map(([id]) => id)
  promise(
    'nobody was disconnected',
    dropped.length === 0 && before.size >= clients.length,
    `${[...after.keys()].join(' ')}; dropped: ${dropped.join(' ') || 'none'}`,
  )
  const wrong = await round(clients, 'reloaded')
  promise('and everybody goes on', wrong.length === 0, wrong.join('\n'))
  promise('in the same process', (await property('MainPID')) === pid, pid)
}
