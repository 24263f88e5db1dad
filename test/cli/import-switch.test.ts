import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import mqtt, { type MqttClient } from 'mqtt'
import { switchOver } from '#src/cli/import-switch.js'
import { Secret } from '#src/core/secret.js'
import { readMosquittoConf } from '#src/moving/mosquitto-conf.js'
import { translate } from '#src/moving/translate.js'
import { freePort } from '../support/daemon.js'
import { noServiceWorld, type ServiceWorld, startServiceWorld } from '../support/service-world.js'
import { tempFolder } from '../support/temp-folder.js'
import { missing } from '../support/tools.js'

const skip = noServiceWorld || missing('mosquitto', 'mosquitto_passwd')
const credentials = { username: 'house', password: new Secret('secret') }

/** A mosquitto on a port of its own that wants a name, with retained messages. */
async function makeWorld(
  context: TestContext,
  port: number,
  retained: number,
  acl?: string,
): Promise<ServiceWorld> {
  const folder = await tempFolder(context)
  execFileSync('mosquitto_passwd', ['-b', '-c', join(folder, 'pw'), 'house', 'secret'])
  const world = await startServiceWorld(
    context,
    `user root\nlistener ${port} 127.0.0.1\npassword_file pw\nmax_inflight_messages 50\nsys_interval 1\n${acl === undefined ? '' : 'acl_file acl\n'}`,
    {
      pw: execFileSync('cat', [join(folder, 'pw')], { encoding: 'utf8' }),
      ...(acl === undefined ? {} : { acl }),
    },
  )
  const client = await connect(context, port)
  for (let index = 0; index < retained; index++)
    await client.publishAsync(`home/${index}`, `value ${index}`, {
      retain: true,
      qos: (index % 3) as 0 | 1 | 2,
    })
  await client.endAsync()
  return world
}

async function connect(context: TestContext, port: number): Promise<MqttClient> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    username: 'house',
    password: 'secret',
    reconnectPeriod: 0,
  })
  context.after(() => client.end(true))
  return client
}

async function moveIn(
  context: TestContext,
  world: ServiceWorld,
  signal?: AbortSignal,
  retainedAsSeen = false,
): Promise<void> {
  const file = join(world.root, 'etc/mosquitto/mosquitto.conf')
  const move = translate(await readMosquittoConf(file), 'pi')
  const workingDir = await tempFolder(context)
  await switchOver({
    root: world.root,
    uid: world.uid,
    print: world.print,
    run: world.run,
    node: world.node,
    packageDir: world.packageDir,
    workingDir,
    file,
    move,
    credentials,
    retainedAsSeen,
    ...(signal === undefined ? {} : { signal }),
  })
}

test('the service takes the place of mosquitto, with its users and its retained messages', {
  skip,
}, async (context) => {
  const port = await freePort()
  const world = await makeWorld(context, port, 30)
  await moveIn(context, world)
  assert.deepEqual(await world.unit('mosquitto'), { runs: false, enablement: 'disable' })
  assert.deepEqual(await world.unit('damselfly'), { runs: true, enablement: 'enable' })
  const client = await connect(context, port)
  const seen = new Map<string, { readonly text: string; readonly qos: number }>()
  client.on('message', (topic, payload, { qos, retain }) => {
    if (retain) seen.set(topic, { text: String(payload), qos })
  })
  await client.subscribeAsync('home/#', { qos: 2 })
  await client.unsubscribeAsync('x')
  for (let index = 0; index < 30; index++)
    assert.deepEqual(seen.get(`home/${index}`), { text: `value ${index}`, qos: index % 3 })
  await assert.rejects(mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 }), { code: 5 })
  assert.match(world.said, /copied 30 retained messages/)
})

test('a Damselfly that does not start gives the place back to mosquitto', { skip }, async (context) => {
  const port = await freePort()
  const world = await makeWorld(context, port, 3)
  await world.break('damselfly')
  await assert.rejects(moveIn(context, world), { code: 'SERVICE_FAILED' })
  assert.deepEqual(await world.unit('mosquitto'), { runs: true, enablement: 'enable' })
  assert.equal((await world.unit('damselfly')).runs, false)
  assert.match(world.said, /Going back to mosquitto: Damselfly did not start[\s\S]*mosquitto runs again/)
  await connect(context, port)
})

const narrow = 'user house\ntopic write home/#\ntopic read other/#\n'

test('retained messages that the user may not read stop it before mosquitto stops, unless they are to be left', {
  skip,
}, async (context) => {
  const port = await freePort()
  const world = await makeWorld(context, port, 30, narrow)
  await assert.rejects(moveIn(context, world), {
    code: 'SERVICE_REFUSED',
    message:
      /house sees 0 retained messages; how many mosquitto has is not known[\s\S]*house may not read everything: \S+acl names no "topic read #"[\s\S]*--retained-as-seen/,
  })
  assert.doesNotMatch(world.calls, /^(stop|disable)/m)
  assert.deepEqual(await world.unit('mosquitto'), { runs: true, enablement: 'enable' })
  await moveIn(context, world, undefined, true)
  assert.equal((await world.unit('damselfly')).runs, true)
  assert.match(
    world.said,
    /copied 0 retained messages\nhow many there are is not known: house may not read \$SYS/,
  )
})

test('of a count that is known the missing ones are told, and mosquitto goes on', {
  skip,
}, async (context) => {
  const port = await freePort()
  const world = await makeWorld(context, port, 3, `${narrow}topic read home/0\ntopic read $SYS/#\n`)
  await assert.rejects(moveIn(context, world), /has 2 retained messages more than the 1 that were copied/)
  assert.equal((await world.unit('mosquitto')).runs, true)
})

test('a mistake in the settings is told before anything stops', { skip }, async (context) => {
  const port = await freePort()
  const world = await makeWorld(context, port, 1)
  await world.write('etc/damselfly/damselfly.yaml', 'no_such_section: 1\n')
  await assert.rejects(moveIn(context, world), /no_such_section/)
  assert.doesNotMatch(world.calls, /^(stop|start damselfly)/m)
  assert.equal((await world.unit('mosquitto')).runs, true)
})

test('an interruption before the stop changes nothing, one after it gives the place back', {
  skip,
}, async (context) => {
  const port = await freePort()
  const world = await makeWorld(context, port, 1)
  await assert.rejects(moveIn(context, world, AbortSignal.abort()), /it was interrupted/)
  assert.doesNotMatch(world.calls, /^stop/m)
  const control = new AbortController()
  const { run } = world
  Object.assign(world, {
    run: (program: string, args: readonly string[]) => {
      if (args[0] === 'start') control.abort()
      return run(program, args)
    },
  })
  await assert.rejects(moveIn(context, world, control.signal), /it was interrupted/)
  assert.deepEqual(await world.unit('mosquitto'), { runs: true, enablement: 'enable' })
})

test('without root, and where mosquitto is no service that runs, nothing is touched', {
  skip,
}, async (context) => {
  const port = await freePort()
  const world = await makeWorld(context, port, 0)
  await world.systemctl('stop', 'mosquitto')
  await assert.rejects(moveIn(context, world), {
    code: 'SERVICE_REFUSED',
    message: /mosquitto does not run as a service/,
  })
  await assert.rejects(world.text('etc/damselfly/.env'), { code: 'ENOENT' })
})
