import { readFileSync, writeFileSync } from 'node:fs'
import { connect, holdLine, journal, sleep, statesAgree, systemctl, until, watch } from '../kit.mjs'

const yaml = '/etc/damselfly/damselfly.yaml'

export async function prove() {
  const good = readFileSync(yaml, 'utf8')
  const client = await connect()
  await client.set('relay', 'on')
  await unchanged(client)
  await changed(good)
  await unavailable(good)
  const begun = Date.now()
  writeFileSync(yaml, good.replace('gpio: 17', 'gpoi: 17'))
  const lines = watch()
  await systemctl('reload', 'damselfly')
  const log = await journal('not reloaded', begun)
  lines.promise(
    'a mistake leaves the lines as they are',
    log !== '' && lines.levels('relay') === '0' && lines.holders('lamp').length === 0,
    ['relay', 'lamp'],
    log,
  )
  writeFileSync(yaml, good)
  await systemctl('reload', 'damselfly')
  await client.set('relay', 'off')
  client.end()
  await statesAgree()
}

async function unchanged(client) {
  const lines = watch()
  await client.set('lamp', 'on')
  await sleep(500)
  await systemctl('reload', 'damselfly')
  await lines.had('lamp', 3)
  const [on, off] = lines.edges('lamp')
  const isLeft = ['relay', 'fan', 'lamp', 'valve'].every((pin) => lines.holders(pin).length === 0)
  lines.promise(
    'a reload that does not concern a pin leaves its line and its level',
    isLeft && lines.levels('relay') === '0' && lines.levels('fan') === '1',
    ['relay', 'fan', 'valve'],
  )
  lines.promise(
    'and its timers: max_on of 3 s goes on',
    off.byMs - on.afterMs >= 3_000 && off.afterMs - on.byMs < 4_000,
    ['lamp'],
  )
}

async function changed(good) {
  const lines = watch()
  const porch = good.split('\n').find((line) => line.startsWith('  porch:'))
  writeFileSync(
    yaml,
    good.replace(porch, '').replace('gpio: 5, out: true', 'gpio: 5, out: true, active: low'),
  )
  await systemctl('reload', 'damselfly')
  await until(
    (levels) => levels.endsWith('1'),
    () => lines.levels('valve'),
  )
  const holders = lines
    .holders('valve')
    .map(({ what }) => what)
    .join(' ')
  lines.promise(
    'a pin that is changed is taken anew, at initial',
    holders === 'freed took' && lines.levels('relay') === '0',
    ['valve', 'relay'],
  )
  const late = await connect()
  await sleep(300)
  const isGone = late.state('porch') === undefined && late.state('valve') === 'off'
  lines.promise(
    'a pin that is removed is freed, and its state is gone',
    isGone &&
      lines
        .holders('porch')
        .map(({ what }) => what)
        .join() === 'freed',
    ['porch'],
  )
  late.end()
}

async function unavailable(good) {
  const begun = Date.now()
  const other = await holdLine(21)
  const lines = watch()
  writeFileSync(yaml, good.replace('pins:\n', 'pins:\n  attic: { gpio: 21, out: true, initial: on }\n'))
  await systemctl('reload', 'damselfly')
  const log = await journal('pin not available', begun)
  lines.promise(
    'a pin that another program holds is told, and the others are left alone',
    /GPIO21.*held by ."heating/.test(log) && lines.levels('relay') === '0',
    ['attic', 'relay'],
    log,
  )
  other.kill()
  await sleep(200)
  await systemctl('reload', 'damselfly')
  await until(
    (levels) => levels.endsWith('1'),
    () => lines.levels('attic'),
  )
  lines.promise('the next reload has it', lines.levels('attic').endsWith('1'), ['attic'])
}
