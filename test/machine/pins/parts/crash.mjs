import {
  connect,
  isBack,
  journal,
  mainPid,
  promise,
  property,
  sleep,
  statesAgree,
  systemctl,
  until,
  watch,
} from '../kit.mjs'

export async function prove() {
  await killed()
  await killedAtStart()
  await outOfMemory()
  await killedWhole()
}

/** Ends the process while the relay is on and the valve off. @returns the log, when it is back */
async function end(kill) {
  const pid = await mainPid()
  const client = await connect()
  await client.set('relay', 'on')
  await until(
    (state) => state === 'on',
    () => client.state('relay'),
  )
  const lines = watch()
  await kill(pid, client)
  client.end()
  const isUp = await isBack(pid)
  await lines.had('relay', 4)
  return { lines, isUp }
}

// driven to on_stop by safe, freed by it, at initial
const isSafe = (lines) => lines.levels('relay') === '0101' && lines.levels('valve') === '010'

async function killed() {
  const begun = Date.now()
  const { lines, isUp } = await end((pid) => process.kill(pid, 'SIGKILL'))
  lines.promise(
    'kill -9: on_stop, then initial',
    isUp && isSafe(lines),
    ['relay', 'valve', 'fan', 'lamp'],
    await journal('outputs driven', begun),
  )
  await statesAgree()
  const client = await connect()
  const total = await until(
    (text) => text !== undefined,
    () => client.state('water'),
    3,
  )
  promise('a counter has what was kept', Number(total) >= 1_000, `water ${total}`)
  client.end()
}

async function killedAtStart() {
  await systemctl('stop', 'damselfly')
  const lines = watch()
  await systemctl('start', '--no-block', 'damselfly')
  const early = await until((pid) => pid > 0, mainPid)
  await sleep(100)
  process.kill(early, 'SIGKILL')
  const second = await until((pid) => pid > 0 && pid !== early, mainPid, 40)
  const wasDriven = lines.levels('valve')
  lines.promise('kill -9 at the very start, before the lines are taken: on_stop', wasDriven === '010', [
    'valve',
    'relay',
    'fan',
  ])
  const taking = watch()
  await until(
    (count) => count > 0,
    () => taking.taken('porch'),
    150,
  )
  process.kill(second, 'SIGKILL')
  const isUp = await isBack(second)
  await taking.had('porch', 5)
  taking.promise(
    'kill -9 just when they are taken: on_stop, then initial',
    isUp && taking.levels('valve') === '010',
    ['valve', 'relay', 'fan', 'porch'],
  )
  await statesAgree()
}

async function outOfMemory() {
  const begun = Date.now()
  const used = Number(await property('MemoryCurrent'))
  await systemctl('set-property', '--runtime', 'damselfly', `MemoryMax=${used + 48 * 2 ** 20}`)
  const { lines, isUp } = await end(async (pid, client) => {
    client.publish('house/hog', '').catch(() => {}) // never acknowledged
    await until((now) => now !== pid, mainPid, 150)
  })
  await systemctl('set-property', '--runtime', 'damselfly', 'MemoryMax=50%')
  const log = await journal('OOM killer', begun)
  lines.promise(
    'out of memory (MemoryMax=): on_stop, then initial',
    isUp && log !== '' && isSafe(lines),
    ['relay', 'valve'],
    log,
  )
  await statesAgree()
}

async function killedWhole() {
  const begun = Date.now()
  const { lines, isUp } = await end(() => systemctl('kill', '-s', 'KILL', 'damselfly'))
  lines.promise(
    'systemctl kill -s KILL, all of the unit: on_stop, then initial',
    isUp && isSafe(lines),
    ['relay', 'valve'],
    await journal('outputs driven', begun),
  )
  await statesAgree()
}
