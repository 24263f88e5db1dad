import assert from 'node:assert/strict'
import { copyFile, rename, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startDaemon } from '../support/daemon.js'
import { until } from '../support/until.js'

const rule = (text: string) => `rules: [{ name: one, on: ask, do: { publish: answer, text: ${text} } }]`

async function ask(daemon: Awaited<ReturnType<typeof startDaemon>>): Promise<string> {
  const client = await daemon.connect()
  const answer = new Promise<string>((resolve) =>
    client.once('message', (_, payload) => resolve(`${payload}`)),
  )
  await client.subscribeAsync('answer')
  await client.publishAsync('ask', '')
  const text = await answer
  await client.endAsync()
  return text
}

test('SIGHUP brings new rules, and connected clients stay', async (context) => {
  const daemon = await startDaemon(context, { yaml: rule('first') })
  const stays = await daemon.connect()
  let hasClosed = false
  stays.on('close', () => (hasClosed = true))
  assert.equal(await ask(daemon), 'first')
  await daemon.write('damselfly.yaml', rule('second'))
  await daemon.reload()
  assert.equal(await ask(daemon), 'second')
  assert.equal(hasClosed, false)
})

test('a saved file is enough, also from an editor that writes beside and renames', async (context) => {
  const daemon = await startDaemon(context, { yaml: rule('first') })
  const path = join(daemon.folder, 'config/damselfly.yaml')
  await writeFile(path, rule('second'))
  await daemon.logged('configuration reloaded')
  assert.equal(await ask(daemon), 'second')
  await writeFile(`${path}~`, rule('third'))
  await rename(`${path}~`, path)
  await daemon.logged('configuration reloaded', 2)
  assert.equal(await ask(daemon), 'third')
})

test('a file that is emptied and filled is never read in between, whenever SIGHUP comes', async (context) => {
  const yaml = `pins: { lamp: { gpio: 17, out: true } }\n${rule('first')}`
  const daemon = await startDaemon(context, { yaml })
  const path = join(daemon.folder, 'config/damselfly.yaml')
  const rounds = 5
  for (let round = 1; round <= rounds; round++) {
    await truncate(path)
    daemon.kill('SIGHUP')
    await sleep(40)
    await writeFile(path, yaml)
    await daemon.logged('configuration reloaded', round)
  }
  for (const { pins, rules } of daemon.having('configuration reloaded'))
    assert.deepEqual([pins, rules], [1, 1])
  assert.equal(await ask(daemon), 'first')
})

test('a bad file keeps the last good configuration, and every mistake in it is logged with its place', async (context) => {
  const daemon = await startDaemon(context, { yaml: rule('first') })
  await daemon.write(
    'damselfly.yaml',
    'rules:\n  - { on: ask, do: { publsh: answer } }\n  - { on: "a#", do: { log: x } }\n',
  )
  const line = await daemon.logged('not reloaded: the last good configuration stays')
  assert.equal(line['mistakes'], 2)
  const [first, second] = daemon.having('mistake in the configuration')
  assert.match(String(first?.['at']), /damselfly\.yaml:2:\d+$/)
  assert.match(String(first?.['suggestion']), /publish/)
  assert.match(String(second?.['at']), /damselfly\.yaml:3:\d+$/)
  assert.equal(await ask(daemon), 'first')
  await daemon.write('damselfly.yaml', rule('mended'))
  await daemon.logged('configuration reloaded')
  assert.equal(await ask(daemon), 'mended')
})

test('pins come and go by a reload, and the others keep their state', async (context) => {
  const daemon = await startDaemon(context, {
    yaml: 'pins: { lamp: { gpio: 17, out: true }, old: { gpio: 18, out: true } }',
  })
  const client = await daemon.connect()
  const seen = new Map<string, string>()
  client.on('message', (topic, payload) => seen.set(topic.slice('damselfly/test/pins/'.length), `${payload}`))
  await client.subscribeAsync('damselfly/test/pins/+')
  await client.publishAsync('damselfly/test/pins/lamp/set', 'on')
  await until('on', () => seen.get('lamp') === 'on')
  await daemon.write(
    'damselfly.yaml',
    'pins: { lamp: { gpio: 17, out: true }, new: { gpio: 19, out: true, initial: on } }',
  )
  await daemon.logged('configuration reloaded')
  await until('the new pin', () => seen.get('new') === 'on')
  await until('the old one is cleared', () => seen.get('old') === '')
  assert.equal(seen.get('lamp'), 'on')
})

test('what only a restart can change is said, and stays as it was', async (context) => {
  const daemon = await startDaemon(context)
  await daemon.write(
    '.env',
    `PORT=${daemon.port}\nBIND=loopback\nNAME=other\nGPIO_CHIP=simulated\nLOG_LEVEL=debug\n`,
  )
  await daemon.logged('configuration reloaded')
  assert.deepEqual(daemon.having('some changes need a restart')[0]?.['settings'], ['NAME'])
})

test('a bound in .env holds at once, another one after a reload, and its default when the line is gone', async (context) => {
  const env = 'MAX_CONNECTIONS=1'
  const daemon = await startDaemon(context, { env })
  const lines = (bound: string) =>
    `PORT=${daemon.port}\nBIND=loopback\nNAME=test\nGPIO_CHIP=simulated\n${bound}\n`
  await daemon.connect()
  await assert.rejects(daemon.connect())
  await daemon.write('.env', lines('MAX_CONNECTIONS=2'))
  await daemon.logged('configuration reloaded')
  await daemon.connect()
  await assert.rejects(daemon.connect())
  await daemon.write('.env', lines(''))
  await daemon.logged('configuration reloaded', 2)
  await daemon.connect()
})

test('a changed port moves the doors', async (context) => {
  const daemon = await startDaemon(context)
  const other = await startDaemon(context) // its port is free once it has stopped
  await other.stop()
  await daemon.write('.env', `PORT=${other.port}\nBIND=loopback\nNAME=test\nGPIO_CHIP=simulated\n`)
  await daemon.logged('configuration reloaded')
  const client = await daemon.connect({ port: other.port })
  assert.equal(client.connected, true)
  await assert.rejects(daemon.connect())
})

for (const [title, replace] of [
  ['is empty', (path: string) => copyFile(path, `${path}~`).then(() => truncate(path))],
  ['is moved away', (path: string) => rename(path, `${path}~`)],
  [
    'leads nowhere',
    async (path: string) => {
      await rename(path, `${path}~`)
      await symlink('nowhere', path)
    },
  ],
] as const)
  for (const [file, text, word] of [
    ['acl', 'topic read answer\n', /everybody could do everything|symbolic link/],
    ['users', '# nobody\n', /nobody in it could connect|symbolic link/],
  ] as const)
    if (title !== 'is empty' || file === 'users')
      test(`config/${file} that ${title} while the daemon runs is a mistake, and opens nothing`, async (context) => {
        const files = { [`config/${file}`]: text }
        const daemon = await startDaemon(context, { yaml: rule('first'), files })
        const path = join(daemon.folder, `config/${file}`)
        await replace(path)
        daemon.kill('SIGHUP')
        await daemon.logged('not reloaded: the last good configuration stays')
        const mistake = daemon.having('mistake in the configuration')[0]
        assert.match(String(mistake?.['at']), new RegExp(`config/${file}`))
        assert.match(`${mistake?.['reason'] ?? JSON.stringify(mistake)}`, word)
        assert.equal(daemon.having('configuration reloaded').length, 0)
        await rename(`${path}~`, path)
        await daemon.reload()
      })

test('an acl that was never there, or that links to one, is no mistake at a reload', async (context) => {
  const daemon = await startDaemon(context, {
    yaml: rule('first'),
    files: { elsewhere: 'topic readwrite #\n' },
  })
  await daemon.reload()
  await symlink('../elsewhere', join(daemon.folder, 'config/acl'))
  await daemon.logged('configuration reloaded', 2)
  assert.equal(await ask(daemon), 'first')
})
