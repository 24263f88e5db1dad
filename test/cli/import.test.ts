import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import mqtt from 'mqtt'
import { freePort, runCommand, startDaemon, writeFiles } from '../support/daemon.js'
import { startMosquitto } from '../support/mosquitto.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'

const skip = missing('mosquitto')

/** A folder with a configuration of mosquitto for this port. */
async function house(context: TestContext, port: number, more = ''): Promise<string> {
  const folder = await tempFolder(context)
  await writeFile(
    join(folder, 'mosquitto.conf'),
    `listener ${port} 127.0.0.1\nallow_anonymous true\nsys_interval 1\n${more}`,
  )
  return folder
}

test('--dry-run says what would become of each line, and writes nothing', async (context) => {
  const folder = await house(context, 1, 'max_queued_messages 500\nmount_point a/\nlog_timestamp false\n')
  const { code, stdout } = await runCommand(folder, ['import', 'mosquitto.conf', '--dry-run'])
  assert.equal(code, 0)
  assert.match(stdout, /4 lines taken over\n {2}listener 1 127\.0\.0\.1 +BIND=127\.0\.0\.1 and PORT=1\n/)
  assert.match(stdout, /1 line that needs no setting here\n {2}log_timestamp false/)
  assert.match(
    stdout,
    /1 line to look at[^\n]*\n {2}\S+mosquitto\.conf:5: mount_point a\/\n {4}Topics are the same/,
  )
  assert.match(stdout, /would write \S+\.env\n[\s\S]*Nothing was written/)
  assert.deepEqual(
    ['.env', 'config', 'data'].filter((name) => existsSync(join(folder, name))),
    [],
  )
})

test('--json says it to a program', async (context) => {
  const folder = await house(context, 1, 'mount_point a/\n')
  const { stdout } = await runCommand(folder, ['import', 'mosquitto.conf', '--dry-run', '--json'])
  const { env, lines } = JSON.parse(stdout)
  assert.deepEqual(env, { BIND: '127.0.0.1', PORT: '1', ALLOW_ANONYMOUS: 'true', SYS_INTERVAL: '1' })
  assert.deepEqual(
    lines.map(({ line, option, outcome }: Record<string, unknown>) => [line, option, outcome]),
    [
      [1, 'listener', 'taken'],
      [2, 'allow_anonymous', 'taken'],
      [3, 'sys_interval', 'taken'],
      [4, 'mount_point', 'lost'],
    ],
  )
})

test('files that are there are put beside the new ones, and a second import changes nothing', async (context) => {
  const folder = await house(context, 1, 'password_file pw\n')
  const hash = '$7$101$c2FsdHNhbHRzYWx0$aGFzaA=='
  await writeFile(join(folder, 'pw'), `house:${hash}\n`)
  await writeFiles(folder, { '.env': 'NAME=shed\nPORT=1883\n', 'damselfly.yaml': '# mine\n' })
  const run = () => runCommand(folder, ['import', 'mosquitto.conf', '--no-retained'])
  const first = await run()
  assert.match(first.stdout, /changed \S+\/\.env; as it was: \S+\.env\.before-import\n/)
  assert.equal(await readFile(join(folder, '.env.before-import'), 'utf8'), 'NAME=shed\nPORT=1883\n')
  assert.match(await readFile(join(folder, '.env'), 'utf8'), /^NAME=shed\nPORT=1\n/)
  assert.equal(await readFile(join(folder, 'config/damselfly.yaml'), 'utf8'), '# mine\n')
  assert.equal(await readFile(join(folder, 'config/users'), 'utf8'), `house:${hash}\n`)
  assert.equal((await stat(join(folder, 'config/users'))).mode & 0o777, 0o640)
  assert.doesNotMatch((await run()).stdout, /wrote|changed/)
})

test('retained messages are copied, more than mosquitto sends of QoS 1, with their QoS and properties', {
  skip,
}, async (context) => {
  const mosquitto = await startMosquitto(context, {
    config: 'allow_anonymous true\nset_tcp_nodelay true\nsys_interval 1',
  })
  const folder = await house(context, mosquitto.port)
  const publisher = await mqtt.connectAsync(`mqtt://127.0.0.1:${mosquitto.port}`, { protocolVersion: 5 })
  const many = 1_500
  for (let index = 0; index < many; index++) {
    const done = publisher.publishAsync(`home/${index}`, `${index}`, {
      retain: true,
      qos: (index % 3) as 0 | 1 | 2,
    })
    if (index % 10 === 9) await done // mosquitto takes no more than twenty at a time
  }
  await publisher.publishAsync('typed', '{}', {
    retain: true,
    qos: 1,
    properties: { contentType: 'application/json', userProperties: { room: 'kitchen' } },
  })
  await publisher.publishAsync('live', 'not retained', { qos: 1 })
  await publisher.endAsync()
  const { code, stdout } = await runCommand(folder, ['import', 'mosquitto.conf'])
  assert.equal(code, 0)
  assert.match(stdout, /copied 1501 retained messages/)
  await mosquitto.stop('SIGTERM')

  const env = await readFile(join(folder, '.env'), 'utf8')
  const daemon = await startDaemon(context, { folder, port: mosquitto.port, env, bind: '127.0.0.1' })
  const client = await daemon.connect({ protocolVersion: 5 })
  const seen = new Map<string, { readonly text: string; readonly qos: number; readonly type: unknown }>()
  client.on('message', (topic, payload, { qos, properties }) =>
    seen.set(topic, { text: String(payload), qos, type: properties?.contentType }),
  )
  await client.subscribeAsync(['home/#', 'typed', 'live'], { qos: 2 })
  while (seen.size < many + 1) await new Promise((resolve) => setTimeout(resolve, 20))
  for (let index = 0; index < many; index++)
    assert.deepEqual(seen.get(`home/${index}`), { text: `${index}`, qos: index % 3, type: undefined })
  assert.equal(seen.get('typed')?.type, 'application/json')
  assert.equal(seen.has('live'), false)
})

test('of more retained messages than MAX_RETAINED_MESSAGES the rest is left, and told', {
  skip,
}, async (context) => {
  const mosquitto = await startMosquitto(context, {
    config: 'allow_anonymous true\nset_tcp_nodelay true\nsys_interval 1',
  })
  const folder = await house(context, mosquitto.port)
  await writeFiles(folder, { '.env': 'MAX_RETAINED_MESSAGES=100\n', 'damselfly.yaml': '' })
  const publisher = await mqtt.connectAsync(`mqtt://127.0.0.1:${mosquitto.port}`)
  const publish = (index: number) => publisher.publishAsync(`home/${index}`, 'x', { retain: true, qos: 1 })
  for (let index = 1; index <= 100; index++) await publish(index)
  const at = await runCommand(folder, ['import', 'mosquitto.conf'])
  assert.match(at.stdout, /copied 100 retained messages\n/)
  assert.doesNotMatch(at.stdout, /MAX_RETAINED_MESSAGES/)
  await publish(101)
  await publisher.endAsync()
  const past = await runCommand(folder, ['import', 'mosquitto.conf'])
  assert.match(past.stdout, /copied 100 retained messages\n1 more than MAX_RETAINED_MESSAGES were left/)
})

test('who may not read everything is told how many messages are missing', { skip }, async (context) => {
  const acl = 'topic read open/#\ntopic read $SYS/#\ntopic write #\n'
  const mosquitto = await startMosquitto(context, {
    config: 'allow_anonymous true\nacl_file acl\nsys_interval 1\n',
    files: { acl },
  })
  const folder = await house(context, mosquitto.port)
  const publisher = await mqtt.connectAsync(`mqtt://127.0.0.1:${mosquitto.port}`)
  for (const topic of ['open/1', 'closed/1', 'closed/2'])
    await publisher.publishAsync(topic, 'x', { retain: true, qos: 1 })
  await publisher.endAsync()
  const { stdout } = await runCommand(folder, ['import', 'mosquitto.conf'])
  assert.match(stdout, /copied 1 retained message\n/)
  assert.match(stdout, /seems to have 2 more, which who gives no name may not read/)
})

test('who may not read $SYS is told that nobody knows how many messages there are', {
  skip,
}, async (context) => {
  const mosquitto = await startMosquitto(context, {
    config: 'allow_anonymous true\nacl_file acl\nsys_interval 1\n',
    files: { acl: 'topic read open/#\ntopic write #\n' },
  })
  const folder = await house(context, mosquitto.port)
  const { stdout } = await runCommand(folder, ['import', 'mosquitto.conf'])
  assert.match(stdout, /how many there are is not known: who gives no name may not read \$SYS/)
})

test('without a mosquitto that answers the settings are written, and the exit code is 1', async (context) => {
  const folder = await house(context, await freePort())
  const { code, stdout } = await runCommand(folder, ['import', 'mosquitto.conf'])
  assert.equal(code, 1)
  assert.match(stdout, /No retained messages were copied\. main \(127\.0\.0\.1:\d+\): connect ECONNREFUSED/)
  assert.ok(existsSync(join(folder, '.env')))
})

test('into the data of a Damselfly that runs nothing is copied', { skip }, async (context) => {
  const mosquitto = await startMosquitto(context)
  const daemon = await startDaemon(context)
  await writeFile(
    join(daemon.folder, 'mosquitto.conf'),
    `listener ${mosquitto.port} 127.0.0.1\nallow_anonymous true\n`,
  )
  const { code, stderr } = await runCommand(daemon.folder, ['import', 'mosquitto.conf'])
  assert.equal(code, 1)
  assert.match(stderr, /another Damselfly uses it/)
})

test('a password without a name, and a switch without retained messages, are mistakes on the command line', async (context) => {
  const folder = await house(context, 1)
  const both = await runCommand(folder, ['import', 'mosquitto.conf', '--switch', '--no-retained'])
  assert.equal(both.code, 2)
  const { code } = await runCommand(folder, ['import', 'mosquitto.conf', '--password', 'x'])
  assert.equal(code, 2)
  const seen = await runCommand(folder, ['import', 'mosquitto.conf', '--retained-as-seen'])
  assert.equal(seen.code, 2)
})
