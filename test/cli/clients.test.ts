import assert from 'node:assert/strict'
import { test } from 'node:test'
import { clientDetails, clientLines } from '#src/cli/client-table.js'
import type { ClientReport } from '#src/core/broker-view.js'
import { runCommand, startDaemon } from '../support/daemon.js'
import { until } from '../support/until.js'

const as = (_: string, text: string) => text

test('clients lists who is connected, who is away and who was not let in, as a table and as JSON', async (context) => {
  const daemon = await startDaemon(context, { env: 'MQTT_USERNAME=house\nMQTT_PASSWORD=secret' })
  const named = { username: 'house', password: 'secret' }
  const esp = await daemon.connect({ clientId: 'esp', protocolVersion: 5, ...named })
  await esp.subscribeAsync('home/#', { qos: 1 })
  await (await daemon.connect({ clientId: 'away', clean: false })).endAsync()
  await assert.rejects(daemon.connect({ clientId: 'thief', username: 'house', password: 'guess' }))
  const { code, stdout, stderr } = await runCommand(daemon.folder, ['clients'])
  assert.deepEqual([code, stderr], [0, ''])
  const lines = stdout.split('\n')
  assert.match(
    lines[0] as string,
    /^CLIENT +USER +ADDRESS +MQTT +SINCE +SUBS +IN\/s +OUT\/s +QUEUED +REFUSED LAST$/,
  )
  assert.match(lines[1] as string, /^esp +house +127\.0\.0\.1 +5 +\d\d:\d\d:\d\d +1 /)
  assert.match(lines[2] as string, /^away +away +3\.1\.1 +\d\d:\d\d:\d\d +0 /)
  assert.match(lines[4] as string, /^NOT LET IN +ADDRESS +CLIENT +BECAUSE$/)
  assert.match(lines[5] as string, /^\d\d:\d\d:\d\d +127\.0\.0\.1 +thief +wrong user name or password$/)
  assert.doesNotMatch(stdout, /secret|guess/)
  const json = JSON.parse((await runCommand(daemon.folder, ['clients', '--json'])).stdout)
  assert.deepEqual(
    json.clients.map(({ id, isConnected }: ClientReport) => [id, isConnected]),
    [
      ['esp', true],
      ['away', false],
    ],
  )
  assert.equal(json.refusals[0].client, 'thief')

  const one = await runCommand(daemon.folder, ['clients', 'esp'])
  assert.match(one.stdout, /^esp\n {2}connected {2}since/)
  assert.match(one.stdout, /subscribed +to 1\n {4}home\/# {2}qos 1\n$/)
  const same = JSON.parse((await runCommand(daemon.folder, ['clients', 'esp', '--json'])).stdout)
  assert.deepEqual([same.user, same.subscriptions[0].filter], ['house', 'home/#'])
  assert.equal((await runCommand(daemon.folder, ['clients', 'nobody'])).code, 1)
})

test('the log tells once of each who comes, who goes and why, and who is refused', async (context) => {
  const daemon = await startDaemon(context, { env: 'MQTT_USERNAME=house\nMQTT_PASSWORD=secret' })
  const esp = await daemon.connect({ clientId: 'esp', username: 'house', password: 'secret', keepalive: 20 })
  await assert.rejects(daemon.connect({ clientId: 'thief', username: 'house', password: 'guess' }))
  await esp.endAsync()
  await daemon.logged('client disconnected')
  const lines = daemon.log.filter(({ msg }) => msg.startsWith('client ')).map(({ time: _, ...line }) => line)
  assert.deepEqual(lines.slice(0, 1), [
    {
      level: 'info',
      client: 'esp',
      address: '127.0.0.1',
      listener: 'main',
      user: 'house',
      version: '3.1.1',
      cleanStart: true,
      keepAliveSeconds: 20,
      msg: 'client connected',
    },
  ])
  assert.deepEqual(
    lines.slice(1).map(({ client, reason, msg }) => [msg, client, reason]),
    [
      ['client refused', 'thief', 'wrong user name or password'],
      ['client disconnected', 'esp', 'the client took leave'],
    ],
  )
})

test('kick disconnects a client, --forget ends its session; of nobody it says so with exit code 1', async (context) => {
  const daemon = await startDaemon(context)
  const esp = await daemon.connect({ clientId: 'esp', clean: false })
  let isClosed = false
  esp.once('close', () => {
    isClosed = true
  })
  const kicked = await runCommand(daemon.folder, ['kick', 'esp'])
  assert.deepEqual([kicked.code, kicked.stdout], [0, 'esp: disconnected\n'])
  await until('the client is gone', () => isClosed)
  const again = await runCommand(daemon.folder, ['kick', 'esp'])
  assert.equal(again.code, 1)
  assert.match(again.stderr, /esp is not connected; --forget ends its session/)
  const forgotten = await runCommand(daemon.folder, ['kick', 'esp', '--forget'])
  assert.deepEqual([forgotten.code, forgotten.stdout], [0, 'esp: its session has ended\n'])
  const unknown = await runCommand(daemon.folder, ['kick', 'e\x1b[2Jsp'])
  assert.equal(unknown.code, 1)
  assert.match(unknown.stderr, /no client is called e\\u\{1b\}\[2Jsp/)
})

test('nothing that a client calls itself moves a cursor', async (context) => {
  const daemon = await startDaemon(context)
  const name = '\x1b]0;mine\x07\x9b2J\u202e'
  const client = await daemon.connect({ clientId: name })
  await client.subscribeAsync('\x1b[31mred')
  await client.publishAsync('\x9b2J/topic', '\x1b[2J\x7f', { qos: 1, retain: true })
  for (const argv of [
    ['clients'],
    ['clients', '--json'],
    ['clients', name],
    ['clients', name, '--json'],
    ['topics', '--once', '--seconds', '0.1'],
    ['topics', '--json', '--seconds', '0.1'],
  ]) {
    const { code, stdout, stderr } = await runCommand(daemon.folder, argv)
    assert.deepEqual([code, stderr], [0, ''], argv.join(' '))
    assert.doesNotMatch(stdout.replaceAll('\n', ''), /[\p{Cc}\u202e]/u, argv.join(' '))
  }
  const json = JSON.parse((await runCommand(daemon.folder, ['clients', '--json'])).stdout)
  assert.equal(json.clients[0].id, name)
})

const client: ClientReport = {
  id: 'x',
  isConnected: false,
  since: new Date().toISOString(),
  sessionExpirySeconds: null,
  subscriptions: 0,
  inflightMessages: 1,
  queuedMessages: 2,
  queuedBytes: 3 * 1_024,
  droppedMessages: 4,
}

test('of a client that was not here since the start, what is known is shown', () => {
  assert.match(clientLines([client], [], as)[1] as string, /^x +away +\d\d:\d\d:\d\d +0 +2$/)
  assert.deepEqual(clientLines([], [], as), ['no clients'])
  const details = clientDetails(client, [], as)
  assert.deepEqual(details.slice(2), [
    '  session    kept for good',
    '  in flight  1',
    '  queued     2, 3.0 KiB',
    '  dropped    4',
    '  subscribed to nothing',
  ])
})

test('a client of another listener is shown with it, and what was refused to it with its topic', () => {
  const at = new Date().toISOString()
  const there = { ...client, isConnected: true, address: '10.0.0.7', listener: 'garden', transport: 'wss' }
  const lastRefusal = {
    what: 'publish',
    at,
    address: '10.0.0.7',
    topic: 'a/b',
    reason: 'no',
    count: 3,
  } as const
  const [, line = ''] = clientLines([{ ...there, lastRefusal }], [], as)
  assert.match(line, /10\.0\.0\.7 garden \(wss\) .* publish a\/b: no \(3 times\)$/)
})
