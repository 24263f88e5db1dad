import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { statusLines } from '#src/cli/status.js'
import type { DaemonStatus } from '#src/control/protocol.js'
import { runCommand, startDaemon, writeFiles } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { until } from '../support/until.js'

test('status says how the running daemon is, in words and as JSON', async (context) => {
  const daemon = await startDaemon(context, {
    yaml: 'pins: { lamp: { gpio: 17, out: true } }\nrules: [{ on: a, do: { log: a } }, { on: b, enabled: false, do: { log: b } }]',
  })
  const client = await daemon.connect()
  await client.publishAsync('a', 'x', { qos: 1 })
  const { code, stdout, stderr } = await runCommand(daemon.folder, ['status'])
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, new RegExp(`^Damselfly \\S+ is running as test, process ${daemon.pid}, since \\d\\d:`))
  for (const line of [
    new RegExp(`listening +127\\.0\\.0\\.1:${daemon.port}`),
    /clients +1 connected/,
    /rules +1, and 1 with enabled: false/,
    /pins +1; simulated/,
    /memory +\d+ MiB/,
    /counted +1 rules fired, 1 steps done/,
  ])
    assert.match(stdout, line)
  const json = JSON.parse((await runCommand(daemon.folder, ['status', '--json'])).stdout)
  assert.deepEqual([json.running, json.pid, json.clients, json.lastReload], [true, daemon.pid, 1, undefined])
  assert.equal(json.counters['rules.fired'], 1)
})

test('status tells of the last reload, and why it failed', async (context) => {
  const daemon = await startDaemon(context)
  await daemon.write('damselfly.yaml', 'pins: { lamp: { gpoi: 17, out: true }, fan: 3 }')
  daemon.kill('SIGHUP')
  await daemon.logged('not reloaded: the last good configuration stays')
  assert.match(
    (await runCommand(daemon.folder, ['status'])).stdout,
    /reload +\d\d:\d\d:\d\d failed, .*damselfly\.yaml:1:\d+: .*gpoi.*\(and \d more\)/,
  )
  await daemon.write('damselfly.yaml', '')
  await daemon.reload()
  assert.match((await runCommand(daemon.folder, ['status'])).stdout, /reload +\d\d:\d\d:\d\d went well/)
})

test('reload has both files read, and its exit code says how that went', async (context) => {
  const daemon = await startDaemon(context)
  const good = await runCommand(daemon.folder, ['reload'])
  assert.deepEqual([good.code, good.stdout, good.stderr], [0, 'configuration reloaded\n', ''])
  await daemon.write('damselfly.yaml', 'pins: { lamp: { gpoi: 17, out: true } }')
  const bad = await runCommand(daemon.folder, ['reload'])
  assert.deepEqual([bad.code, bad.stdout], [2, ''])
  assert.match(
    bad.stderr,
    /^not reloaded, the configuration before it holds: .*damselfly\.yaml:1:\d+: .*gpoi.*\nevery mistake: damselfly check\n$/,
  )
})

test('without a daemon status, pins, trace and the like say so and what to do; the exit code is 3', async (context) => {
  const folder = await tempFolder(context)
  await writeFiles(folder, { '.env': '', 'damselfly.yaml': '' })
  for (const command of ['status', 'pins', 'trace', 'clients', 'kick x', 'reload', 'topics']) {
    const { code, stdout, stderr } = await runCommand(folder, command.split(' '))
    assert.deepEqual([code, stdout], [3, ''], command)
    assert.match(
      stderr,
      /^damselfly: Damselfly is not running in .*control\.sock.*\nstart it: damselfly start\n$/,
    )
  }
  const json = await runCommand(folder, ['status', '--json'])
  assert.deepEqual([json.code, json.stdout], [3, '{"running":false}\n'])
})

test('the socket of a daemon that was killed is nobody, and the next daemon takes its place', async (context) => {
  const daemon = await startDaemon(context)
  daemon.kill('SIGKILL')
  await until('it ended', () => daemon.hasExited)
  assert.equal((await runCommand(daemon.folder, ['status'])).code, 3)
  const next = await startDaemon(context, { folder: daemon.folder })
  assert.equal((await runCommand(next.folder, ['status'])).code, 0)
  assert.equal(await next.stop(), 0)
  assert.equal((await runCommand(next.folder, ['status'])).code, 3)
})

test('a daemon whose folder is too deep for a socket runs without one, and says so', async (context) => {
  const folder = join(await tempFolder(context), 'deep'.repeat(25))
  const daemon = await startDaemon(context, { folder })
  assert.match(
    String(
      daemon.having('no control socket: status, clients, topics, pins and trace will find nobody')[0]?.[
        'reason'
      ],
    ),
    /107/,
  )
  const { code, stderr } = await runCommand(folder, ['status'])
  assert.equal(code, 1)
  assert.match(stderr, /at most 107; set DATA_DIR to a shorter one/)
})

test('what is out of order stands in the status', () => {
  const status: DaemonStatus = {
    version: '1.0.0',
    name: 'shed',
    host: 'shed',
    pid: 7,
    startedAt: new Date(Date.now() - 90_500).toISOString(),
    port: 1883,
    addresses: ['::1'],
    listeners: [
      { name: 'main', transport: 'mqtt', addresses: ['::1'], port: 1883 },
      { name: 'secure', transport: 'mqtts', addresses: ['10.0.0.5'], port: 8883 },
      { name: 'web', transport: 'ws', addresses: ['10.0.0.5'], port: 9001, path: '/mqtt' },
      { name: 'near', transport: 'unix', addresses: ['/run/mqtt.sock'] },
    ],
    pending: ['there is no LAN address yet'],
    rules: { enabled: 0, disabled: 0 },
    sensors: 2,
    pins: { held: 1, unavailable: ['door'], isSimulated: false },
    memoryBytes: 2 ** 26,
    counters: { 'clients.refused': 3, connectionsMax: 2 },
    limits: { connectionsMax: 2 },
  }
  assert.deepEqual(statusLines(status).slice(1), [
    '  listening  [::1]:1883  10.0.0.5:8883 (TLS)  ws://10.0.0.5:9001/mqtt  unix:/run/mqtt.sock',
    '             (there is no LAN address yet)',
    '  rules      0',
    '  pins       1; not available: door',
    '  sensors    2',
    '  memory     64 MiB',
    '  counted    3 clients refused',
    '  limits     reached: MAX_CONNECTIONS (connectionsMax) 2 (docs/limits.md)',
  ])
  const amounts = { clients: 1, sessions: 3, queuedMessages: 40, retainedMessages: 1 }
  assert.deepEqual(statusLines({ ...status, ...amounts }).slice(3, 6), [
    '  clients    1 connected',
    '  sessions   3, 40 messages waiting in them',
    '  retained   1 message',
  ])
  const cloud = { name: 'cloud', url: 'mqtts://hub', isConnected: true, reason: undefined, queued: 0 }
  const bridges = [
    cloud,
    { ...cloud, name: 'shed', isConnected: false, reason: 'nothing listens there', queued: 7 },
  ]
  assert.deepEqual(statusLines({ ...status, bridges }).slice(3, 5), [
    '  bridges    cloud: connected, 0 queued',
    '             shed: not connected (nothing listens there), 7 queued',
  ])
  const link = 'mqtt://hub:1883 (not connected: nothing listens there)'
  assert.deepEqual(statusLines({ ...status, addresses: [], pending: [], link }).slice(1, 3), [
    `  broker     ${link}`,
    '  rules      0',
  ])
  assert.doesNotMatch(statusLines({ ...status, sensors: 0 }).join('\n'), /sensors/)
  assert.match(statusLines(status)[0] as string, /\(1m3\ds\)$/)
})
