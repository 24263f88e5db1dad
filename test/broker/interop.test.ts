import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import type { IClientOptions, IPublishPacket, MqttClient } from 'mqtt'
import { type BrokerWorld, brokerWorld } from '../support/broker.js'
import { root } from '../support/daemon.js'
import { missing } from '../support/tools.js'
import { until } from '../support/until.js'

const run = promisify(execFile)

/** Keeps what a client hears. */
function hear(client: MqttClient): IPublishPacket[] {
  const heard: IPublishPacket[] = []
  client.on('message', (topic, _payload, packet) => heard.push({ ...packet, topic })) // an alias may stand for it
  return heard
}

for (const protocolVersion of [3, 4, 5] as const) {
  const options: IClientOptions = {
    protocolVersion,
    protocolId: protocolVersion === 3 ? 'MQIsdp' : 'MQTT',
  }
  const lasting: IClientOptions = {
    ...options,
    clean: false,
    ...(protocolVersion === 5 ? { properties: { sessionExpiryInterval: 600 } } : {}),
  }

  test(`MQTT.js with protocol level ${protocolVersion}: QoS 0 to 2, retained messages, a will, a session that stays`, async (context) => {
    const { connect } = await brokerWorld(context)
    const sender = await connect(options)
    const receiver = await connect({ ...lasting, clientId: 'receiver' })
    const heard = hear(receiver)
    const granted = await receiver.subscribeAsync({ 'a/#': { qos: 2 }, will: { qos: 1 } })
    assert.deepEqual(
      granted.map(({ qos }) => qos),
      [2, 1],
    )
    for (const qos of [0, 1, 2] as const) await sender.publishAsync(`a/${qos}`, `${qos}`, { qos })
    await until('three messages', () => heard.length === 3)
    assert.deepEqual(
      heard.splice(0).map(({ topic, payload, qos, retain }) => [topic, `${payload}`, qos, retain]),
      [
        ['a/0', '0', 0, false],
        ['a/1', '1', 1, false],
        ['a/2', '2', 2, false],
      ],
    )

    const lost = await connect({ ...options, will: { topic: 'will', payload: Buffer.from('gone'), qos: 1 } })
    lost.stream.destroy()
    await until('the will', () => heard.length === 1)
    assert.equal(`${heard.splice(0)[0]?.payload}`, 'gone')

    await sender.publishAsync('kept', 'x', { qos: 1, retain: true })
    await receiver.subscribeAsync('kept')
    await until('the retained message', () => heard.length === 1)
    assert.equal(heard.splice(0)[0]?.retain, true)

    await receiver.endAsync()
    const payloads = Array.from({ length: 50 }, (_, number) => `${number}`)
    await Promise.all(payloads.map((payload) => sender.publishAsync('a/offline', payload, { qos: 2 })))
    const later: string[] = []
    await connect({ ...lasting, clientId: 'receiver', resubscribe: false }).then((again) =>
      again.on('message', (_topic, payload) => later.push(`${payload}`)),
    )
    await until('what was sent meanwhile', () => later.length === 50)
    assert.deepEqual(later, payloads)
  })
}

test('MQTT.js with MQTT 5: properties, identifiers, aliases in both directions, shared subscriptions', async (context) => {
  const { connect } = await brokerWorld(context)
  const sender = await connect({ protocolVersion: 5, autoAssignTopicAlias: true })
  const receiver = await connect({ protocolVersion: 5, properties: { topicAliasMaximum: 10 } })
  const heard = hear(receiver)
  await receiver.subscribeAsync('a', { qos: 1, properties: { subscriptionIdentifier: 7 } })
  const properties = {
    userProperties: { k: ['v', 'w'] },
    responseTopic: 'answer',
    correlationData: Buffer.from([0, 1]),
    contentType: 'text/plain',
    payloadFormatIndicator: true,
    messageExpiryInterval: 100,
  }
  for (let count = 0; count < 3; count++) await sender.publishAsync('a', `${count}`, { qos: 1, properties })
  await until('three messages', () => heard.length === 3)
  for (const { topic, properties: received } of heard) {
    assert.equal(topic, 'a')
    const { messageExpiryInterval = 0, topicAlias, userProperties, ...others } = received ?? {}
    assert.ok(messageExpiryInterval >= 99 && messageExpiryInterval <= 100)
    assert.equal(topicAlias, 1)
    assert.deepEqual({ ...userProperties }, properties.userProperties)
    const { responseTopic, correlationData, contentType, payloadFormatIndicator } = properties
    assert.deepEqual(others, {
      responseTopic,
      correlationData,
      contentType,
      payloadFormatIndicator,
      subscriptionIdentifier: 7,
    })
  }

  const members = [await connect({ protocolVersion: 5 }), await connect({ protocolVersion: 5 })]
  const shares = members.map(hear)
  for (const member of members) await member.subscribeAsync('$share/group/shared', { qos: 1 })
  for (let count = 0; count < 10; count++) await sender.publishAsync('shared', `${count}`, { qos: 1 })
  await until('ten messages', () => shares.flat().length === 10)
  assert.deepEqual(
    shares.map(({ length }) => length),
    [5, 5],
  )
})

/** `mosquitto_sub`, until it has been granted its subscription; `lines` are what it prints. */
async function mosquittoSub(
  context: TestContext,
  { port }: BrokerWorld,
  argv: readonly string[],
): Promise<{ readonly child: ChildProcess; readonly lines: () => string[] }> {
  const command = ['-oL', 'mosquitto_sub', '-d', '-p', `${port}`, ...argv]
  const child = spawn('stdbuf', command, { stdio: ['ignore', 'pipe', 'ignore'] })
  context.after(() => child.kill('SIGKILL'))
  let text = ''
  child.stdout?.on('data', (chunk) => {
    text += chunk
  })
  await until('SUBACK', () => text.includes('received SUBACK'))
  // -d tells of the packets as well; those lines begin with these words
  const lines = (): string[] =>
    text.split('\n').filter((line) => line !== '' && !/^(Client|Subscribed|mosquitto_sub)/.test(line))
  return { child, lines }
}

async function mosquittoPub({ port }: BrokerWorld, argv: readonly string[]): Promise<void> {
  await run('mosquitto_pub', ['-p', `${port}`, ...argv])
}

for (const version of ['31', '311', '5']) {
  const speaks = ['-V', version]
  const title = `mosquitto_pub and mosquitto_sub -V ${version}`
  const skip = missing('mosquitto_pub', 'mosquitto_sub', 'stdbuf')

  test(`${title}: QoS 0 to 2, retained messages and a will`, { skip }, async (context) => {
    const world = await brokerWorld(context)
    const format = ['-F', '%t %p %q %r']
    const first = await mosquittoSub(context, world, [
      ...speaks,
      '-q',
      '2',
      '-t',
      'a/#',
      '-t',
      'will',
      ...format,
    ])
    for (const qos of ['0', '1', '2'])
      await mosquittoPub(world, [...speaks, '-q', qos, '-r', '-t', `a/${qos}`, '-m', 'x'])
    await until('three messages', () => first.lines().length === 3)
    assert.deepEqual(first.lines(), ['a/0 x 0 0', 'a/1 x 1 0', 'a/2 x 2 0'])

    const second = await mosquittoSub(context, world, [...speaks, '-q', '2', '-t', 'a/#', ...format])
    await until('three retained messages', () => second.lines().length === 3)
    assert.deepEqual(second.lines().sort(), ['a/0 x 0 1', 'a/1 x 1 1', 'a/2 x 2 1'])

    const will = ['--will-topic', 'will', '--will-payload', 'gone', '--will-qos', '1']
    const mortal = await mosquittoSub(context, world, [...speaks, '-t', 'other', ...will])
    mortal.child.kill('SIGKILL')
    await until('the will', () => first.lines().length === 4)
    assert.equal(first.lines().at(-1), 'will gone 1 0')
  })

  test(`${title} -c: a session that stays`, { skip }, async (context) => {
    const world = await brokerWorld(context)
    const expiry = version === '5' ? ['-x', '600'] : []
    const session = [...speaks, '-c', ...expiry, '-i', 'shed', '-q', '2', '-t', 'a']
    // it ends by itself: a signal while it writes a line of -d can hang it for ever
    await run('mosquitto_sub', ['-p', `${world.port}`, '-E', ...session])
    await until('it is away', () => world.broker.clientCount === 0)
    for (const number of ['1', '2', '3'])
      await mosquittoPub(world, [...speaks, '-q', '2', '-t', 'a', '-m', number])
    const again = await mosquittoSub(context, world, session)
    await until('three messages', () => again.lines().length === 3)
    assert.deepEqual(again.lines(), ['1', '2', '3'])
  })

  if (version === '31') continue
  test(`${title}: a shared subscription`, { skip }, async (context) => {
    const world = await brokerWorld(context)
    const shared = [...speaks, '-q', '1', '-t', version === '5' ? '$share/g/a' : 'a']
    const members = [await mosquittoSub(context, world, shared), await mosquittoSub(context, world, shared)]
    for (let count = 0; count < 4; count++)
      await mosquittoPub(world, [...speaks, '-q', '1', '-t', 'a', '-m', 'x'])
    const each = version === '5' ? 2 : 4
    await until('all of them', () => members.every(({ lines }) => lines().length === each))
  })
}

test('mosquitto_pub -D and mosquitto_sub -V 5: properties', {
  skip: missing('mosquitto_pub', 'mosquitto_sub'),
}, async (context) => {
  const world = await brokerWorld(context)
  const { lines } = await mosquittoSub(context, world, ['-V', '5', '-t', 'a', '-F', '%P|%C|%R|%D|%E'])
  const properties = [
    ['user-property', 'k', 'v'],
    ['user-property', 'k', 'w'],
    ['content-type', 'text/plain'],
    ['response-topic', 'answer'],
    ['correlation-data', '77'],
    ['message-expiry-interval', '100'],
  ].flatMap((property) => ['-D', 'publish', ...property])
  await mosquittoPub(world, ['-V', '5', '-t', 'a', '-m', 'x', ...properties])
  await until('the message', () => lines().length === 1)
  assert.match(lines()[0] ?? '', /^k:v k:w\|text\/plain\|answer\|77\|(100|99)$/)
})

for (const version of [4, 5]) {
  test(`Debian's paho with protocol level ${version}: all that it can`, {
    skip: missing('paho'),
  }, async (context) => {
    const { port } = await brokerWorld(context)
    const program = join(root, 'test/programs/paho_interop.py')
    const { stdout } = await run('/usr/bin/python3', [program, `${port}`, `${version}`])
    assert.deepEqual(JSON.parse(stdout), {
      granted: [2, 1],
      messages: [0, 1, 2].map((qos) => [`paho/a/${qos}`, `hello ${qos}`, qos, false]),
      large: true,
      will: [['paho/will', 'gone', 1, false]],
      retained: [['paho/retained', 'kept', 1, true]],
      present: [0, 1],
      offline: Array.from({ length: 30 }, (_, number) => number),
      ...(version === 5
        ? {
            properties: [
              [
                ['k', 'v'],
                ['k', 'w'],
              ],
              'paho/answer',
              '0001',
              'text/plain',
              1,
              true,
            ],
          }
        : {}),
    })
  })
}
