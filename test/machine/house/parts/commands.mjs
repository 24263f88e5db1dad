import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect, damselfly, dropIn, promise, property, sh, systemctl, until } from '../kit.mjs'

const rows = (text) => text.split('\n').filter((line) => line.includes('sensors/')).length

export async function prove() {
  const client = await connect()
  await client.publish('sensors/kitchen/temperature', '{"value":21.5}')
  const csv = await until(
    ({ stdout }) => rows(stdout) === 1,
    () => damselfly('export', 'readings'),
  )
  const file = (await sh('stat', '-c', '%n %a %U', '/var/lib/damselfly/damselfly.db')).text
  promise(
    'store writes to /var/lib/damselfly',
    file === '/var/lib/damselfly/damselfly.db 600 damselfly',
    file,
  )
  promise(
    'root reads it with export, from any folder',
    rows(csv.stdout) === 1 && /,21\.5/.test(csv.stdout),
    csv.stdout,
  )
  client.end()

  await systemctl('stop', 'damselfly')
  const still = await damselfly('export', 'readings', '--format', 'jsonl')
  await systemctl('start', 'damselfly')
  const next = await connect()
  await next.publish('sensors/kitchen/temperature', '{"value":22}')
  const both = await until(
    ({ stdout }) => rows(stdout) === 2,
    () => damselfly('export', 'readings'),
  )
  const owners = (await sh('sh', '-c', 'stat -c %U /var/lib/damselfly/* | sort | uniq')).text
  promise(
    'also while the service is stopped, and it can write afterwards',
    rows(still.stdout) === 1 && rows(both.stdout) === 2 && owners === 'damselfly',
    `files belong to ${owners}`,
  )

  const as = (user, ...args) => sh('runuser', '-u', user, '--', 'damselfly', ...args)
  const own = await as('damselfly', 'check')
  promise('the user damselfly may check', own.code === 0, own.text)
  const other = await as('nobody', 'check')
  promise(
    'another user is told why not',
    other.code === 2 && /\.env: the user nobody may not read.*\n.*use sudo/.test(other.text),
    other.text,
  )
  const socket = (await sh('stat', '-c', '%a %U %G', '/run/damselfly', '/run/damselfly/control.sock')).text
  promise(
    'the control socket is for the group',
    socket === '750 damselfly damselfly\n660 damselfly damselfly',
    socket,
  )
  const asked = await damselfly('status')
  promise('root asks how the service is', asked.code === 0 && asked.text.includes('is running'), asked.text)
  const member = ['--reuid=nobody', '--regid=damselfly', '--clear-groups', 'damselfly', 'pins']
  const pins = await sh('setpriv', ...member)
  promise('so does the group damselfly', pins.code === 0 && pins.stdout.startsWith('PIN'), pins.text)
  const stranger = await as('nobody', 'status')
  promise(
    'another user is told which group to join',
    stranger.code === 1 && stranger.text.includes('usermod -aG damselfly'),
    stranger.text,
  )
  const busy = await damselfly('safe')
  promise(
    'safe beside the running service says who holds the lines',
    busy.code === 1 && busy.text.includes('held by "damselfly"'),
    busy.text,
  )
  next.end()
  await credential()
}

async function credential() {
  const env = readFileSync('/etc/damselfly/.env', 'utf8')
  writeFileSync('/etc/mqtt-password', 'from-a-credential\n', { mode: 0o600 })
  appendFileSync('/etc/damselfly/.env', '\nMQTT_USERNAME=house\nALLOW_ANONYMOUS=false\n')
  await dropIn('credential', 'LoadCredential=MQTT_PASSWORD:/etc/mqtt-password')
  await systemctl('restart', 'damselfly')
  const username = 'house'
  const right = await connect({ username, password: 'from-a-credential' })
  const wrong = await connect({ username, password: 'guessed' })
  promise(
    'a password by LoadCredential= counts',
    right !== undefined && wrong === undefined,
    await property('ActiveState'),
  )
  const seen = await right?.answer('house/said', 'house/shell', 'env')
  promise('and no program sees it', seen !== undefined && !/CREDENTIALS|PASSWORD/.test(seen), seen)
  right?.end()
  const check = await sh('env', 'MQTT_PASSWORD=unseen', 'damselfly', 'check')
  promise('check with a word in its place', check.code === 0, check.text)
  writeFileSync('/etc/damselfly/.env', env)
  await dropIn('credential', '')
  await systemctl('restart', 'damselfly')
  promise(
    'and away again',
    (await property('ActiveState')) === 'active' && statSync('/etc/damselfly/.env').mode % 0o1000 === 0o640,
  )
}
