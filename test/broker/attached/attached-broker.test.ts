import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Aedes } from 'aedes'
import { limits } from '#src/core/limits.js'
import type { DoorSettings } from '#src/core/ports.js'
import type { RemoteBroker } from '#src/core/remote-broker.js'
import { Secret } from '#src/core/secret.js'
import { attachedWorld, brokerAt, heardBy, plainClient, quickPace } from '../../support/attached.js'
import { brokerWorld } from '../../support/broker.js'
import { cableTo } from '../../support/cable.js'
import { persistent, startMosquitto } from '../../support/mosquitto.js'
import { tempFolder } from '../../support/temp-folder.js'
import { missing } from '../../support/tools.js'
import { until } from '../../support/until.js'

const skip = missing('mosquitto')
const connected = 'connected to the broker'
const lost = 'connection to the broker lost, trying again'

test('messages go to the broker and come from it, each once, also where filters overlap', {
  skip,
}, async (t) => {
  const { port } = await startMosquitto(t)
  const { door, listen } = attachedWorld(t, port)
  const wide = listen('home/+/set')
  const narrow = listen(['home/lamp/set', 'home/lamp/#'])
  await door.open()
  assert.equal(door.state.link?.isConnected, true)
  const client = await plainClient(t, port)
  const heard = await heardBy(client, '#')
  for (const qos of [0, 1, 2] as const) await client.publishAsync('home/lamp/set', `${qos}`, { qos })
  await door.hub.publish({ topic: 'home/x', payload: 'ours', qos: 2 })
  const all = ['home/lamp/set 0', 'home/lamp/set 1', 'home/lamp/set 2']
  await until('all is heard', () => narrow.texts.length >= 3 && heard.includes('home/x ours'))
  await sleep(50)
  assert.deepEqual(wide.texts, all)
  assert.deepEqual(narrow.texts, all)
  assert.deepEqual(wide.messages[0]?.client, '')
})

test('a message of ours comes back as ours, with the rules that led to it', { skip }, async (t) => {
  const { port } = await startMosquitto(t)
  const { door, listen } = attachedWorld(t, port)
  const { messages } = listen('a')
  await door.open()
  await door.hub.publish({ topic: 'a', payload: 'x', chain: ['one', 'two'] })
  await until('it is back', () => messages.length === 1)
  const client = await plainClient(t, port)
  await client.publishAsync('a', 'x')
  await until('the other is there', () => messages.length === 2)
  assert.deepEqual(
    messages.map(({ client, chain }) => [client, chain]),
    [
      ['damselfly', ['one', 'two']],
      ['', []],
    ],
  )
})

test('the start does not fail without a broker; what was published meanwhile arrives in order when it is there', {
  skip,
}, async (t) => {
  const mosquitto = await startMosquitto(t)
  await mosquitto.stop()
  const { door, log, logged, listen } = attachedWorld(t, mosquitto.port)
  const echoes = listen('n')
  await door.open()
  assert.deepEqual(door.state.link, {
    url: `mqtt://127.0.0.1:${mosquitto.port}`,
    isConnected: false,
    reason: 'nothing listens there',
  })
  for (let n = 0; n < 200; n++) await door.hub.publish({ topic: 'n', payload: `${n}` })
  await sleep(300)
  assert.equal(log.having('broker not reached yet, trying again').length, 1)
  await mosquitto.start()
  await logged(connected)
  await until('all are back', () => echoes.texts.length === 200)
  assert.deepEqual(
    echoes.texts,
    Array.from({ length: 200 }, (_, n) => `n ${n}`),
  )
})

test('an outage: both ways nothing is lost with a session at the broker, whoever comes back first', {
  skip,
}, async (t) => {
  const mosquitto = await startMosquitto(t, { config: `allow_anonymous true\n${persistent}` })
  const one = attachedWorld(t, mosquitto.port, { name: 'one' })
  const two = attachedWorld(t, mosquitto.port, {
    name: 'two',
    pace: { ...quickPace, retryMsMin: 700, retryMsMax: 700 },
  })
  const [atOne, atTwo] = [one.listen('to/one'), two.listen('to/two')]
  await Promise.all([one.door.open(), two.door.open()])
  const publish = async (count: number) => {
    for (let n = 0; n < count; n++) {
      await one.door.hub.publish({ topic: 'to/two', payload: `${n}`, qos: 1 })
      await two.door.hub.publish({ topic: 'to/one', payload: `${n}` })
    }
  }
  await publish(3)
  await until('the first are there', () => atOne.texts.length === 3 && atTwo.texts.length === 3)
  await sleep(1_200) // mosquitto's autosave
  await mosquitto.stop('SIGKILL')
  await Promise.all([one.logged(lost), two.logged(lost)])
  await publish(5)
  await mosquitto.start()
  await Promise.all([one.logged(connected, 2), two.logged(connected, 2)])
  await until('the others are there', () => atOne.texts.length >= 8 && atTwo.texts.length >= 8)
  await sleep(50)
  const numbers = [0, 1, 2, 0, 1, 2, 3, 4]
  assert.deepEqual(
    atOne.texts,
    numbers.map((n) => `to/one ${n}`),
  )
  assert.deepEqual(
    atTwo.texts,
    numbers.map((n) => `to/two ${n}`),
  )
  for (const { log } of [one, two]) {
    assert.equal(log.having(lost).length, 1)
    assert.equal(log.having(connected).length, 2)
  }
})

for (const [kind, portOf] of [
  ['mosquitto', async (t: TestContext) => (await startMosquitto(t)).port],
  ['a broker that forgets slowly', async (t: TestContext) => aedesWith(t, () => {})],
] as const) {
  test(`a process that begins does not get what its broker has kept for the one before: ${kind}`, {
    skip,
  }, async (t) => {
    const port = await portOf(t)
    const before = await plainClient(t, port, { clientId: 'damselfly-test', clean: false })
    await before.subscribeAsync('door/set', { qos: 1 })
    before.end(true) // the process is gone, its session stays
    const client = await plainClient(t, port)
    for (let n = 0; n < 20; n++) await client.publishAsync('door/set', 'open', { qos: 1 })
    const { door, listen } = attachedWorld(t, port)
    const { texts } = listen('door/set')
    await door.open()
    await client.publishAsync('door/set', 'now', { qos: 1 })
    await until('the new one is there', () => texts.length > 0)
    assert.deepEqual(texts, ['door/set now'])
  })
}

test('a clean stop says offline, delivers what waits, and leaves nothing that piles up', {
  skip,
}, async (t) => {
  const mosquitto = await startMosquitto(t)
  const client = await plainClient(t, mosquitto.port)
  const heard = await heardBy(client, '#')
  const { door, listen } = attachedWorld(t, mosquitto.port)
  listen('door/set')
  await door.open()
  for (let n = 0; n < 100; n++) await door.hub.publish({ topic: 'n', payload: `${n}`, qos: 1 })
  await door.hub.publish({ topic: 'damselfly/test/status', payload: 'offline', qos: 1, retain: true })
  await door.close()
  await until('all is there', () => heard.length === 101)
  assert.equal(heard.at(-1), 'damselfly/test/status offline')
  await assert.rejects(door.hub.publish({ topic: 'n', payload: '' }), { code: 'BROKER_CLOSED' })
  await client.publishAsync('door/set', 'open', { qos: 1 })
  const next = await plainClient(t, mosquitto.port, { clientId: 'damselfly-test', clean: false })
  const late: string[] = []
  next.on('message', (topic) => late.push(topic))
  await sleep(100)
  assert.deepEqual(late, [])
})

test('a process that is killed is offline: the broker publishes the will', { skip }, async (t) => {
  const { port } = await startMosquitto(t)
  const { door, logged } = attachedWorld(t, port)
  await door.open()
  await door.hub.publish({ topic: 'damselfly/test/status', payload: 'online', qos: 1, retain: true })
  const client = await plainClient(t, port)
  const heard = await heardBy(client, 'damselfly/+/status')
  await until('online', () => heard.length === 1)
  const thief = await plainClient(t, port, { clientId: 'damselfly-test' }) // its connection breaks
  thief.end(true)
  await logged(lost)
  await until('offline', () => heard.includes('damselfly/test/status offline'))
})

test('a frozen broker is noticed', { skip }, async (t) => {
  const mosquitto = await startMosquitto(t)
  const { door, log, logged } = attachedWorld(t, mosquitto.port)
  await door.open()
  process.kill(mosquitto.pid, 'SIGSTOP')
  await logged(lost)
  assert.equal(log.having(lost)[0]?.fields['reason'], 'no answer')
  process.kill(mosquitto.pid, 'SIGCONT')
  await logged(connected, 2)
})

test('a wrong password is one error with what to do, tried again now and then, and put right by a reload', {
  skip,
}, async (t) => {
  const files = { users: `house:${mosquittoHash('key')}\n` }
  const { port } = await startMosquitto(t, { config: 'password_file users', files })
  const wrong = brokerAt(port, { credentials: { username: 'house', password: new Secret('hunter2') } })
  const { door, log, logged } = attachedWorld(t, port, { broker: wrong })
  await door.open()
  await sleep(700)
  const told = log.having('broker refuses us: trying again now and then')
  assert.equal(told.length, 1)
  assert.equal(told[0]?.level, 'error')
  assert.match(String(told[0]?.fields['remedy']), /MQTT_PASSWORD/)
  assert.equal(door.state.link?.isConnected, false)
  await door.apply(
    settingsFor(brokerAt(port, { credentials: { username: 'house', password: new Secret('key') } })),
  )
  await logged(connected)
  assert.equal(JSON.stringify(log.lines).includes('hunter2'), false)
})

test('another broker in the settings: offline at the one, clean at the other', { skip }, async (t) => {
  const [first, second] = [await startMosquitto(t), await startMosquitto(t)]
  const { door, logged, listen } = attachedWorld(t, first.port)
  const { texts } = listen('a')
  await door.open()
  const heard = await heardBy(await plainClient(t, first.port), '#')
  await door.apply(settingsFor(brokerAt(second.port)))
  await logged(connected, 2)
  await until('the one has heard it', () => heard.length > 0)
  assert.deepEqual(heard, ['damselfly/test/status offline'])
  const atFirst = await plainClient(t, first.port)
  await atFirst.publishAsync('a', 'not for us any more', { qos: 1 })
  const left = await plainClient(t, first.port, { clientId: 'damselfly-test', clean: false })
  const kept: string[] = []
  left.on('message', (topic) => kept.push(topic))
  await sleep(100)
  assert.deepEqual(kept, [])
  await (await plainClient(t, second.port)).publishAsync('a', 'x', { qos: 1 })
  await until('it is heard', () => texts.length === 1)
  await door.apply(settingsFor(brokerAt(second.port))) // nothing has changed
  assert.equal(door.state.link?.isConnected, true)
})

test('after a long outage what the broker has kept is not obeyed, and only states of ours are told', {
  skip,
}, async (t) => {
  const mosquitto = await startMosquitto(t)
  const cable = await cableTo(t, mosquitto.port)
  const client = await plainClient(t, mosquitto.port)
  let nowMs = 0
  const { door, counters, log, logged, listen } = attachedWorld(t, cable.port, { nowMs: () => nowMs })
  const { texts } = listen('door/set')
  await door.open()
  cable.cut()
  await logged(lost)
  await client.publishAsync('door/set', 'open', { qos: 1 })
  const heard = await heardBy(client, 'from/#')
  await door.hub.publish({ topic: 'from/button', payload: 'pressed' })
  await door.hub.publish({ topic: 'from/state', payload: 'on', retain: true })
  nowMs = limits.linkWaitMsMax + 1
  cable.mend()
  await logged(connected, 2)
  await client.publishAsync('door/set', 'now', { qos: 1 })
  await until('both ways work', () => texts.length > 0 && heard.length > 0)
  assert.deepEqual(texts, ['door/set now'])
  assert.deepEqual(heard, ['from/state on'])
  assert.equal(counters.get('linkWaitMsMax'), 1)
  assert.equal(log.having('messages waited too long for the broker: dropped').length, 1)
})

test('two with one name: said to both, with what to do, and tried seldom', { skip }, async (t) => {
  const { port } = await startMosquitto(t)
  const pace = { ...quickPace, refusedMs: 60_000 }
  const [one, two] = [attachedWorld(t, port, { pace }), attachedWorld(t, port, { pace })]
  await Promise.all([one.door.open(), two.door.open()])
  await until('one of them gives in', () =>
    [one, two].some(({ log }) => log.having('broker refuses us: trying again now and then').length === 1),
  )
  const [line] = [one, two].flatMap(({ log }) => log.having('broker refuses us: trying again now and then'))
  assert.match(String(line?.fields['reason']), /another client seems to have our id damselfly-test/)
  assert.match(String(line?.fields['remedy']), /NAME/)
})

test('a Damselfly does not let another one of its own name in', async (t) => {
  const far = await brokerWorld(t, {
    access: { name: 'test', allowAnonymous: 'local', credentials: undefined },
  })
  const { door, log } = attachedWorld(t, far.port)
  await door.open()
  assert.match(String(log.lines[0]?.fields['remedy']), /set another NAME/)
  assert.match(
    String(far.log.having('client refused')[0]?.fields['reason']),
    /second Damselfly has the name test/,
  )
  const other = attachedWorld(t, far.port, { name: 'shed' })
  await other.door.open()
  assert.equal(other.door.state.link?.isConnected, true)
})

test('a subscription that the broker refuses is one error, and the others work', async (t) => {
  const port = await aedesWith(t, (aedes) => {
    aedes.authorizeSubscribe = (_, subscription, done) =>
      done(null, subscription.topic === 'secret/#' ? (null as never) : subscription)
  })
  const { door, log, listen } = attachedWorld(t, port)
  const { texts } = listen(['secret/#', 'open/#'])
  await door.open()
  await door.hub.publish({ topic: 'open/a', payload: 'x' })
  await until('the open one is heard', () => texts.length === 1)
  const told = log.having('broker refuses a subscription: its messages do not come')
  assert.deepEqual(
    told.map(({ fields }) => fields['filters']),
    [['secret/#']],
  )
})

test('a message for which the broker ends the connection each time is dropped, and holds nobody up', async (t) => {
  const port = await aedesWith(t, (aedes) => {
    aedes.authorizePublish = (_, { topic }, done) => done(topic === 'bad' ? new Error('no') : null)
  })
  const { door, log, listen } = attachedWorld(t, port, { pace: { ...quickPace, refusedMs: 50 } })
  const { texts } = listen('good')
  await door.open()
  await door.hub.publish({ topic: 'bad', payload: 'x', qos: 1, chain: ['a rule'] })
  await door.hub.publish({ topic: 'good', payload: 'x', qos: 1 })
  await until('the good one is through', () => texts.length > 0)
  const [told] = log.having('message dropped: the broker closes the connection each time when it gets it')
  assert.deepEqual(told?.fields, { topic: 'bad', bytes: 1, rules: ['a rule'] })
})

test('a message that is too large to hold ends the connection with its size in the log', {
  skip,
}, async (t) => {
  const { port } = await startMosquitto(t)
  const client = await plainClient(t, port)
  const { door, counters, logged, log, listen } = attachedWorld(t, port)
  listen('a')
  await door.open()
  await client.publishAsync('a', Buffer.alloc(limits.packetBytesMax), { qos: 0 })
  await logged('broker refuses us: trying again now and then')
  assert.match(String(log.lines.at(-1)?.fields['reason']), /a packet of 1048\d+ bytes, and we take 10485760/)
  assert.equal(counters.get('packetBytesMax'), 1)
  const tooLarge = { topic: 'a', payload: Buffer.alloc(limits.packetBytesMax) }
  await assert.rejects(door.hub.publish(tooLarge), { code: 'MESSAGE_TOO_LARGE', limit: 'packetBytesMax' })
})

test('what does not speak MQTT is told apart from what is not there', async (t) => {
  const answers = [
    'HTTP/1.1 400 Bad Request\r\n\r\n',
    'SSH-2.0-x\r\n',
    '\x15\x03\x01\x00\x02',
    '\x20\x03\x00\x00\x00',
  ]
  for (const answer of answers)
    for (const isEnd of [true, false]) {
      const port = await rawServer(t, (socket) => void (isEnd ? socket.end(answer) : socket.write(answer)))
      const { door } = attachedWorld(t, port)
      await door.open()
      assert.equal(door.state.link?.reason, 'what answers does not speak MQTT; check the port')
    }
  const slow = await rawServer(t, (socket) => {
    socket.write(Uint8Array.of(0x20))
    setTimeout(() => socket.write(Uint8Array.of(2, 0, 0)), 100)
  })
  const { door } = attachedWorld(t, slow)
  await door.open()
  assert.equal(door.state.link?.isConnected, true)
  const nowhere = attachedWorld(t, slow, { broker: brokerAt(slow, { host: 'nowhere.invalid' }) })
  await nowhere.door.open()
  assert.match(String(nowhere.door.state.link?.reason), /no such host|looked up/)
})

test('a broker that takes messages and acknowledges none is left, and they are sent to it again', async (t) => {
  let isMute = true
  const port = await rawServer(t, (socket) => {
    socket.on('data', (data) => {
      for (let at = 0; at < data.length; at += 2 + (data[at + 1] as number)) {
        const type = (data[at] as number) >> 4
        if (type === 1) socket.write(Uint8Array.of(0x20, 2, 0, 0))
        const id = at + 2 + 2 + 1 // behind a topic of one character
        if (type === 3 && !isMute)
          socket.write(Uint8Array.of(0x40, 2, data[id] as number, data[id + 1] as number))
        if (type === 14) socket.end()
      }
    })
  })
  let nowMs = 0
  const { door, counters, log, logged } = attachedWorld(t, port, { nowMs: () => nowMs })
  await door.open()
  await door.hub.publish({ topic: 'a', payload: 'x', qos: 1 })
  nowMs = limits.linkAckMsMax
  await door.hub.publish({ topic: 'b', payload: 'x', qos: 1 })
  await logged(lost)
  assert.equal(log.having(lost)[0]?.fields['reason'], 'it does not acknowledge messages')
  assert.equal(counters.get('linkAckMsMax'), 1)
  isMute = false
  await until('both are acknowledged', () => door.hub.outbox.size === 0)
})

test('a connection that comes and goes is told a few times, tried less and less, and told again when it stands', async (t) => {
  let connections = 0
  let isSick = true
  const port = await rawServer(t, (socket) => {
    socket.once('data', () => {
      connections++
      socket.write(Uint8Array.of(0x20, 2, 0, 0))
      if (isSick) setTimeout(() => socket.resetAndDestroy(), 20)
    })
    socket.on('data', (data) => void (data[0] === 0xe0 && socket.end()))
  })
  const pace = {
    ...quickPace,
    retryMsMin: 10,
    retryMsMax: 10_000,
    refusedMs: 10,
    shortMs: 300,
    steadyMs: 200,
  }
  const { door, log, logged } = attachedWorld(t, port, { pace })
  await door.open()
  await until('many', () => connections >= 8)
  assert.equal(log.having(connected).length, 3)
  assert.ok(log.lines.length <= 7, JSON.stringify(log.lines))
  isSick = false
  await logged(connected, 4)
  assert.equal(door.state.link?.isConnected, true)
  assert.ok(Number(log.having(connected).at(-1)?.fields['shortConnections']) >= 6)
})

test('a connection that fails soon after it began makes the pauses grow', async (t) => {
  const atMs: number[] = []
  const port = await rawServer(t, (socket) => {
    socket.once('data', () => {
      socket.write(Uint8Array.of(0x20, 2, 0, 0))
      atMs.push(performance.now())
      // a packet of a kind that brokers do not send
      setTimeout(() => socket.write(Uint8Array.of(0xf0, 0)), 20)
    })
  })
  const pace = { ...quickPace, retryMsMin: 20, retryMsMax: 400, refusedMs: 20 }
  const { door } = attachedWorld(t, port, { pace })
  await door.open()
  await until('it has tried some times', () => atMs.length >= 8)
  const last = (atMs.at(-1) as number) - (atMs.at(-2) as number)
  assert.ok(last >= 250, `${last}`)
})

test('topics of the broker itself and topics that are none are not published to', async (t) => {
  const { door } = attachedWorld(t, 1)
  for (const topic of ['$SYS/x', 'a/+', ''])
    await assert.rejects(door.hub.publish({ topic, payload: '' }), { code: 'TOPIC_INVALID' })
})

test('over TLS: trusted authorities only, and a port without TLS is told', {
  skip: missing('mosquitto', 'openssl'),
}, async (t) => {
  const folder = await tempFolder(t)
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', `${folder}/key.pem`, '-out', `${folder}/cert.pem`]
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...names, ...files],
    {
      stdio: 'ignore',
    },
  )
  const { port } = await startMosquitto(t, {
    config: `allow_anonymous true\ncertfile ${folder}/cert.pem\nkeyfile ${folder}/key.pem`,
  })
  const broker = brokerAt(port, { isSecure: true })
  const stranger = attachedWorld(t, port, { broker })
  await stranger.door.open()
  assert.match(String(stranger.door.state.link?.reason), /signed by nobody whom this machine trusts/)
  const friend = attachedWorld(t, port, { broker, authorities: `${folder}/cert.pem` })
  await friend.door.open()
  assert.equal(friend.door.state.link?.isConnected, true)
  const plain = await startMosquitto(t)
  const wrong = attachedWorld(t, plain.port, { broker: brokerAt(plain.port, { isSecure: true }) })
  await wrong.door.open()
  assert.equal(wrong.door.state.link?.isConnected, false)
})

function settingsFor(remote: RemoteBroker): DoorSettings {
  return {
    name: 'test',
    allowAnonymous: 'local',
    credentials: undefined,
    listeners: [],
    bridges: [],
    remote,
  }
}

/** As `mosquitto_passwd` writes it: PBKDF2 with SHA-512. */
function mosquittoHash(password: string): string {
  const salt = randomBytes(12)
  const hash = pbkdf2Sync(password, salt, 101, 64, 'sha512')
  return `$7$101$${salt.toString('base64')}$${hash.toString('base64')}`
}

/** Something on loopback that answers as it likes, and goes with the test. */
async function rawServer(t: TestContext, onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).resume()
    onConnection(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as { port: number }).port
}

/** A broker on loopback that goes with the test. */
async function aedesWith(t: TestContext, change: (aedes: Aedes) => void): Promise<number> {
  const aedes = new Aedes()
  await aedes.listen()
  change(aedes)
  const server = createServer((socket) => aedes.handle(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    aedes.close()
    server.close()
  })
  return (server.address() as { port: number }).port
}
