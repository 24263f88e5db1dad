import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import {
  connect,
  damselfly,
  dropIn,
  hold,
  holdLine,
  mainPid,
  promise,
  property,
  sh,
  sleep,
  statesAgree,
  systemctl,
  until,
  watch,
} from '../kit.mjs'

export async function prove() {
  await alone()
  await restarted()
  await upgraded()
  await byHand()
}

/** Without safe, and with lines that go on being driven when they are freed: what the daemon itself leaves. */
async function alone() {
  await dropIn('hold', 'ExecStopPost=')
  const keeper = spawn('python3', ['/job/job/keep.py', String(await mainPid())], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(keeper.stdout, 'data')
  const client = await connect()
  await client.set('relay', 'on')
  await sleep(100)
  const lines = watch()
  await systemctl('stop', 'damselfly')
  await sleep(200)
  const pins = client.all
    .filter((text) => /pins\/(valve on|relay off)$|status offline$/.test(text))
    .join(', ')
  client.end()
  lines.promise(
    'stop: the daemon itself drives on_stop',
    lines.levels('relay') === '01' && lines.levels('valve') === '01',
    ['relay', 'valve', 'fan'],
  )
  promise('and tells it before it goes', pins.split(', ').length === 3, pins)
  const isClean = (await property('Result')) === 'success' && (await property('ExecMainStatus')) === '0'
  promise('a clean end', isClean)
  keeper.kill()
  await once(keeper, 'exit')
  await hold()
  await systemctl('start', 'damselfly')
}

/** @returns the log from a moment at which the relay was on and the valve off */
async function withRelayOn() {
  const client = await connect()
  await client.set('relay', 'on')
  await until(
    (state) => state === 'on',
    () => client.state('relay'),
  )
  client.end()
  await sleep(50)
  return watch()
}

const isSafeThenInitial = (lines) =>
  /^0(10)?1?01$/.test(lines.levels('relay')) && /^0(10)+$/.test(lines.levels('valve'))

async function restarted() {
  const lines = await withRelayOn()
  await systemctl('restart', 'damselfly')
  lines.promise(
    'restart: on_stop, then initial, and no other level while a line is held',
    isSafeThenInitial(lines),
    ['relay', 'valve', 'fan', 'lamp'],
  )
  await statesAgree()
  promise(
    'a command that was published retained is not obeyed at the start',
    lines.levels('valve').endsWith('0'),
    'valve/set on, retained',
  )
}

async function upgraded() {
  const client = await connect({ reconnectPeriod: 500, clientId: 'remote', clean: false })
  const lines = await withRelayOn()
  const installing = sh('damselfly', 'service', 'install')
  await until((isConnected) => !isConnected, client.isConnected, 150)
  client.set('lamp', 'on').catch(() => {})
  const { code, text } = await installing
  await lines.had('relay', 4, 20)
  lines.promise(
    'an upgrade: on_stop, then initial',
    code === 0 && isSafeThenInitial(lines),
    ['relay', 'valve'],
    text.split('\n').at(-1),
  )
  await until(
    (levels) => levels.includes('01'),
    () => lines.levels('lamp'),
    20,
  )
  lines.promise(
    'what a client has kept meanwhile is obeyed when it brings it',
    lines.levels('lamp').includes('01'),
    ['lamp'],
  )
  client.end()
  await until(
    (levels) => levels.endsWith('0'),
    () => lines.levels('lamp'),
    20,
  )
  await statesAgree()
}

/** damselfly safe, without a daemon and without a readable configuration. */
async function byHand() {
  await systemctl('stop', 'damselfly')
  const yaml = '/etc/damselfly/damselfly.yaml'
  const good = readFileSync(yaml, 'utf8')
  writeFileSync(yaml, 'pins: [')
  const other = await holdLine(20)
  const lines = watch()
  const { code, text } = await damselfly('safe', '--hold', '500ms')
  writeFileSync(yaml, good)
  other.kill()
  lines.promise(
    'safe needs no daemon and no configuration, and drives what is free',
    code === 1 && lines.levels('valve') === '010' && lines.levels('relay') === '010' && /porch/.test(text),
    ['valve', 'relay', 'porch'],
    text,
  )
  await systemctl('start', 'damselfly')
  await statesAgree()
}
