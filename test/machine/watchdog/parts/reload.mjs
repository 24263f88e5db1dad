import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import {
  connect,
  damselfly,
  journal,
  promise,
  property,
  sh,
  sleep,
  status,
  systemctl,
  until,
} from '../../service.mjs'

const yaml = '/etc/damselfly/damselfly.yaml'
const reload = () => systemctl('reload', 'damselfly')
const settled = () =>
  until(
    (text) => text === 'active',
    () => property('ActiveState'),
    20,
  )

/** Another answer of the rule. */
function say(word) {
  writeFileSync(yaml, readFileSync(yaml, 'utf8').replace(/text: \w+/, `text: ${word}`))
}

export async function good() {
  const pid = await property('MainPID')
  const client = await connect()
  const begun = Date.now()
  say('second')
  const { code } = await reload()
  const log = await journal('configuration reloaded', begun)
  promise('systemctl reload: exit code 0, and the log says what is in force', code === 0 && log !== '', log)
  await settled()
  const said = await client.answer('house/answer', 'house/ask', '')
  promise('the rule is another one', said === 'second', said)
  const now = await property('MainPID')
  promise(
    'the process is the same, and nobody was disconnected',
    now === pid && client.isConnected(),
    `process ${now}`,
  )
  client.end()
}

export async function bad() {
  const text = readFileSync(yaml, 'utf8')
  const client = await connect()
  const begun = Date.now()
  writeFileSync(yaml, text.replace('gpio: lamp, set:', 'gpio: lmap, set:').replace('second', 'third'))
  const { code, text: said } = await reload()
  promise('a file with a mistake: systemctl reload fails', code !== 0, said)
  await settled()
  await sh('systemctl', 'kill', '--kill-whom=main', '-s', 'HUP', 'damselfly')
  const mistake = await journal('mistake in the configuration', begun)
  promise(
    'the log has its place, and the name that was meant',
    /damselfly\.yaml:7:\d+/.test(mistake) && /lamp/.test(mistake),
    mistake,
  )
  const kept = await journal('the last good configuration stays', begun)
  promise('and that the last good configuration stays', kept !== '', kept)
  const answer = await client.answer('house/answer', 'house/ask', '')
  promise('which it does', answer === 'second', answer)
  const line = await until(
    (found) => found.includes('not reloaded'),
    () => property('StatusText'),
  )
  promise(
    "systemctl status says so, in the service's own line",
    /2 rules, 1 pins.*not reloaded: damselfly\.yaml:7/.test(line),
    line,
  )
  const asked = await damselfly('status')
  promise(
    'and damselfly status',
    /failed, the configuration before it holds/.test(asked.text),
    /reload.*/.exec(asked.text)?.[0],
  )
  writeFileSync(yaml, text)
  const mended = await reload()
  const quiet = await until(
    (found) => !found.includes('not reloaded'),
    () => property('StatusText'),
  )
  promise(
    'mended: exit code 0, and nothing is left to say',
    mended.code === 0 && !quiet.includes('not reloaded'),
    quiet,
  )
  client.end()
}

export async function storm() {
  const pid = await property('MainPID')
  const client = await connect()
  for (let turn = 0; turn < 10; turn++) {
    const kill = Array.from({ length: 20 }, () => `kill -HUP ${pid}`).join(';')
    await sh('sh', '-c', kill)
    await client.publish('house/ask', '')
  }
  await settled()
  const answer = await client.answer('house/answer', 'house/ask', '')
  const now = await property('MainPID')
  const { lastReload } = await status()
  promise(
    '200 SIGHUP at once: the same process, the same connection, and it answers',
    now === pid && client.isConnected() && answer === 'second',
    `process ${now}, reload ok: ${lastReload?.isOk}`,
  )
  client.end()
}

/** Reloads that change rules, while messages go through. */
export async function load() {
  const reader = await connect({ clientId: 'reader' })
  const writer = await connect({ clientId: 'writer' })
  const count = 400
  let sent = 0
  const send = async () => {
    while (sent < count) await writer.publish('house/count', String(sent++))
  }
  const sending = Promise.all([send(), send(), send()])
  for (let turn = 0; sent < count && turn < 20; turn++) {
    say(`word${turn}`)
    await sh('systemctl', 'kill', '--kill-whom=main', '-s', 'HUP', 'damselfly')
    await sleep(300)
  }
  await sending
  const heard = await until(
    (all) => all.length >= count,
    () => reader.all.filter((text) => text.startsWith('house/count ')),
    10,
  )
  const numbers = heard.map((text) => Number(text.split(' ')[1]))
  const isInOrder = numbers.every((number, index) => number === index)
  promise(
    'rules change under load: no message is lost, none comes twice, all in order',
    heard.length === count && isInOrder,
    `${heard.length} of ${count}`,
  )
  promise('and no connection is lost', reader.isConnected() && writer.isConnected())
  reader.end()
  writer.end()
  say('second')
  await settled()
}

export async function misconfigured() {
  const env = readFileSync('/etc/damselfly/.env')
  appendFileSync('/etc/damselfly/.env', '\nPORT=many\n')
  await systemctl('restart', 'damselfly')
  await sleep(3_000)
  const state = `${await property('ActiveState')}, ${await property('NRestarts')} restarts`
  promise('a start with a mistake is not tried for ever', state === 'failed, 0 restarts', state)
  const shown = await damselfly('service', 'status')
  promise('service status: exit code 1', shown.code === 1, shown.text)
  writeFileSync('/etc/damselfly/.env', env)
  await systemctl('start', 'damselfly')
  promise('and it starts once it is right', (await property('ActiveState')) === 'active')
}
