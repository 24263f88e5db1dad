import { copyFileSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, damselfly, journal, level, promise, property, sh, systemctl, until } from '../kit.mjs'

export async function prove() {
  await refusals()
  const begun = Date.now()
  // the folder in which it is called has the example configuration
  const { code, text } = await sh('sh', '-c', 'cd /job && damselfly service install')
  promise('service install ends with 0', code === 0, text)
  await installed()
  await started(begun)
  await reloaded()
}

async function refusals() {
  cpSync('/usr/lib/damselfly', '/home/copy', { recursive: true })
  const refused = await sh('node', '/home/copy/dist/main.js', 'service', 'install')
  rmSync('/home/copy', { recursive: true })
  promise(
    'code under /home is refused',
    refused.code === 1 && refused.text.includes('cannot see /home'),
    refused.text,
  )
  promise('and nothing was changed', !readdirSync('/etc').includes('damselfly'))
  const status = await damselfly('service', 'status')
  promise('status before: exit code 1', status.code === 1, status.text)
}

async function installed() {
  const user = (await sh('id', 'damselfly')).text
  promise(
    'the user damselfly; the group gpio',
    /damselfly/.test(user) && (await sh('getent', 'group', 'gpio')).code === 0,
    user,
  )
  const files = (
    await sh(
      'stat',
      '-c',
      '%n %a %U:%G',
      '/etc/damselfly',
      '/etc/damselfly/.env',
      '/etc/damselfly/actions',
      '/etc/damselfly/damselfly.yaml',
      '/etc/damselfly/damselfly.schema.json',
    )
  ).text
  const isRight = files.includes('.env 640 root:damselfly') && files.includes('damselfly.yaml 644 root:root')
  promise('the files of /etc/damselfly; .env is 0640 root:damselfly', isRight, files)
  promise('enabled', (await systemctl('is-enabled', 'damselfly')).text === 'enabled')
  const state = `${await property('ActiveState')} ${await property('SubState')} ${await property('User')}`
  promise('running as its user', state === 'active running damselfly', state)
  const status = await damselfly('service', 'status')
  promise(
    'service status: exit code 0',
    status.code === 0 && status.text.includes('5 rules, 3 pins, listening'),
    status.text,
  )
}

async function started(begun) {
  const ready = await journal('"msg":"ready"', begun)
  const { addresses = [], pins = [], rules = [], chip } = ready === '' ? {} : JSON.parse(ready)
  const isWhole =
    addresses.includes('127.0.0.1') && pins.length === 3 && rules.length === 5 && /gpiochip/.test(chip)
  promise('the journal says addresses, pins, chip, rules', isWhole, ready)
  const [from, to] = [
    await property('ExecMainStartTimestampMonotonic'),
    await property('ActiveEnterTimestampMonotonic'),
  ]
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${await property('MainPID')}/status`, 'utf8'))[1]
  const memory = Number(await property('MemoryCurrent'))
  promise(
    'the example configuration takes less than 150 MiB',
    memory < 150 * 2 ** 20,
    `READY after ${(to - from) / 1_000} ms, VmRSS ${(rss / 1_024).toFixed(1)} MiB, MemoryCurrent ${(memory / 2 ** 20).toFixed(1)} MiB`,
  )
}

async function reloaded() {
  const yaml = '/etc/damselfly/damselfly.yaml'
  const pid = await property('MainPID')
  let begun = Date.now()
  copyFileSync('/job/job/house.yaml', yaml)
  const reload = await systemctl('reload', 'damselfly')
  promise('systemctl reload', reload.code === 0, await journal('configuration reloaded', begun))
  const client = await connect()
  const said = await client.answer('house/said', 'house/shell', 'echo new rule')
  promise('a rule that the reload brought acts', said === 'new rule', said)

  begun = Date.now()
  writeFileSync(yaml, readFileSync(yaml, 'utf8').replace('set: on, for: 2s', 'set: onn, for: 2s'))
  await systemctl('reload', 'damselfly')
  const mistake = await journal('mistake in the configuration', begun)
  promise('a mistake is told with its place', /damselfly\.yaml:11:\d+/.test(mistake), mistake)
  await client.publish('home/lamp/set', '{"msg":"ON"}')
  const lamp = await until(
    (value) => value === '1',
    () => level(17),
  )
  promise('and the last good configuration stays', lamp === '1', await journal('not reloaded', begun))
  const state = await until(
    (text) => text === 'active',
    () => property('ActiveState'),
  )
  promise(
    'the same process all the while',
    (await property('MainPID')) === pid && state === 'active',
    `process ${pid}, ${state}`,
  )
  copyFileSync('/job/job/house.yaml', yaml)
  await systemctl('reload', 'damselfly')
  client.end()

  const again = await damselfly('service', 'install')
  promise(
    'a second install keeps what is there',
    again.text.includes('kept /etc/damselfly/.env') && readFileSync(yaml, 'utf8').includes('house/shell'),
    again.text,
  )
}
