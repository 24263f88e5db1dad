import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { connect, dropIn, entries, promise, property, sh, sleep, systemctl, until } from '../../service.mjs'

export const login = { username: 'house', password: 'a-word-of-the-file' }
const begun = Date.now() - 60_000

const linesOf = (text) => text.split('\n').filter((line) => line !== '')
const journalctl = async (...args) =>
  linesOf((await sh('journalctl', '-u', 'damselfly', '--no-pager', ...args)).stdout)

/** The entries with a text, waited for. */
const entriesWith = (text, since) =>
  until(
    (found) => found.length > 0,
    async () => (await entries(since)).filter(({ MESSAGE }) => `${MESSAGE}`.includes(text)),
  )

export async function fields() {
  const [ready] = await entriesWith('"msg":"ready"', begun)
  promise(
    'a line of the log is an entry with PRIORITY and the fields of the line',
    ready?.PRIORITY === '6' &&
      ready.DAMSELFLY_ADDRESSES?.includes('127.0.0.1') &&
      ready.SYSLOG_IDENTIFIER === 'damselfly' &&
      ready._SYSTEMD_UNIT === 'damselfly.service',
    JSON.stringify(
      Object.fromEntries(
        Object.entries(ready ?? {}).filter(([name]) => /^(PRIORITY|DAMSELFLY|SYSLOG_ID)/.test(name)),
      ),
    ),
  )
  const [cat] = (await journalctl('-o', 'cat')).filter((line) => line.includes('"msg":"ready"'))
  promise('-o cat is the line itself, in JSON', JSON.parse(cat ?? '{}').msg === 'ready', cat)

  const kitchen = await connect({ ...login, clientId: 'kitchen' })
  const shed = await connect({ ...login, clientId: 'shed' })
  kitchen.end()
  shed.end()
  await entriesWith('"client":"shed"', begun)
  const ofKitchen = await until(
    (found) => found.length > 1,
    () => journalctl('DAMSELFLY_CLIENT=kitchen', '-o', 'cat'),
  )
  promise(
    'journalctl finds what a client did by its name, and nothing else',
    ofKitchen.length === 2 && ofKitchen.every((line) => JSON.parse(line).client === 'kitchen'),
    ofKitchen.map((line) => JSON.parse(line).msg).join(', '),
  )

  await connect({ username: 'house', password: 'a-word-that-is-wrong' })
  const client = await connect({ ...login, clientId: 'asks' })
  await client.publish('house/fails', 'x')
  const [refused] = await entriesWith('client refused', begun)
  const [failed] = await entriesWith('step failed', begun)
  promise(
    'a refusal is a warning (4), a step that fails an error (3)',
    refused?.PRIORITY === '4' && failed?.PRIORITY === '3',
    `${refused?.PRIORITY} ${refused?.DAMSELFLY_REASON}; ${failed?.PRIORITY} ${failed?.DAMSELFLY_REASON}`,
  )
  const errors = await journalctl('-p', 'err', '-o', 'cat')
  promise(
    'journalctl -p err shows the errors alone',
    errors.length > 0 && errors.every((line) => /"level":"error"/.test(line)),
    `${errors.length}: ${errors[0]}`,
  )
  await client.publish('house/talks', 'PRIORITY=0\nUNIT=ssh.service')
  const [said] = await entriesWith('heard PRIORITY', begun)
  promise(
    'a message brings no fields of its own',
    said?.PRIORITY === '6' && said.UNIT === undefined,
    said?.MESSAGE,
  )
  client.end()
  await mistake()
}

async function mistake() {
  const env = readFileSync('/etc/damselfly/.env')
  appendFileSync('/etc/damselfly/.env', '\nPORT=many\n')
  const since = Date.now()
  await systemctl('restart', 'damselfly')
  const line = await until(
    (found) => found !== undefined,
    async () => (await entriesWith('PORT', since)).find(({ PRIORITY }) => PRIORITY === '3'),
  )
  promise('why a start failed is an error, too', line !== undefined, line?.MESSAGE)
  writeFileSync('/etc/damselfly/.env', env)
  await systemctl('start', 'damselfly')
}

/** What repeats. */
export async function repeats() {
  const client = await connect({ ...login, clientId: 'again' })
  const since = Date.now()
  for (let turn = 0; turn < 40; turn++) await client.publish('house/fails', String(turn))
  const begunMs = performance.now()
  for (let turn = 0; turn < 30; turn++) await connect({ username: 'house', password: `guess ${turn}` })
  await sleep(2_000)
  const all = (await entries(since)).map(({ MESSAGE }) => `${MESSAGE}`)
  const steps = all.filter((line) => line.includes('step failed')).length
  const refused = all.filter((line) => line.includes('client refused')).length
  const seconds = (performance.now() - begunMs) / 1_000
  promise(
    '40 steps that fail, 30 guesses: a line each ten seconds',
    steps <= 2 + seconds / 10 && steps > 0 && refused > 0 && refused <= 3 + seconds / 10,
    `${steps} and ${refused} lines in ${Math.round(seconds)} s`,
  )
  const quiet = Date.now()
  for (let turn = 0; turn < 200; turn++) await client.publish('house/nobody', String(turn))
  await sleep(500)
  const lines = await entries(quiet)
  promise('200 messages: not one line', lines.length === 0, lines.map(({ MESSAGE }) => MESSAGE).join(' '))
  client.end()
}

/** A rule that logs each message is what its owner wants: the journal has a rate of its own. */
export async function storm() {
  await dropIn('rate', 'LogRateLimitIntervalSec=30s\nLogRateLimitBurst=100')
  await systemctl('restart', 'damselfly')
  const pid = await property('MainPID')
  const since = Date.now()
  const client = await connect({ ...login, clientId: 'talks' })
  for (let turn = 0; turn < 1_000; turn++)
    await client.publish('house/talks', String(turn), { qos: turn % 100 === 99 ? 1 : 0 })
  await sleep(1_000)
  const kept = (await entries(since)).filter(({ MESSAGE }) => `${MESSAGE}`.includes('heard')).length
  const found = await until(
    (lines) => lines.length > 0,
    async () =>
      linesOf((await sh('journalctl', '--no-pager', '-o', 'cat', `--since=@${since / 1_000}`)).stdout).filter(
        (line) => /Suppressed/.test(line),
      ),
    2,
  )
  promise(
    'a storm of lines: the journal keeps as many as its rate allows',
    kept > 50 && kept < 800,
    `${kept} of 1000; ${found[0] ?? 'it tells how many it left out with the next line'}`,
  )
  const answer = await client.publish('house/nobody', 'x').then(
    () => true,
    () => false,
  )
  promise('and the daemon goes on', answer && (await property('MainPID')) === pid, `process ${pid}`)
  client.end()
  await dropIn('rate', '')
  await systemctl('restart', 'damselfly')
}

/** Last, when everything has been said. */
export async function secrets() {
  const client = await connect({ ...login, clientId: 'asks' })
  await client.publish('house/hook', 'x')
  await connect({ username: 'a-word-typed-as-a-name', password: 'x' })
  await entriesWith('127.0.0.1:9', begun)
  client.end()
  const all = JSON.stringify(await entries(begun))
  const found = /a-word-[a-z-]*/.exec(all)
  promise(
    'no secret in all of it: not of the file, a wrong one, of a header, a name nobody has',
    found === null && all.includes('hook'),
    found?.[0] ?? `${all.length} bytes`,
  )
}
