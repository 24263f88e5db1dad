import assert from 'node:assert/strict'
import { before, type TestContext, test } from 'node:test'
import type { User } from '#src/core/access.js'
import { hashPassword, passwordHashText } from '#src/core/password-hash.js'
import { aclOf } from '../support/acl.js'
import { brokerWorld } from '../support/broker.js'
import { startMosquitto } from '../support/mosquitto.js'
import { missing } from '../support/tools.js'
import { pingreq, publishBytes, subscribeBytes } from '../support/v5-packets.js'
import { connectBytes, packet, prefixed, u16, WireClient } from '../support/wire-client.js'

const skip = missing('mosquitto')

/** The same file for both. */
const list = `# anonymous clients
topic read public/#
topic write inbox
topic

user kitchen
topic home/lamp
topic readwrite home/+/state
topic deny home/lock/state
topic read home/my room/#
topic write log/kitchen

user lab
topic read #
topic deny private/#
topic deny devices/+/secret
user kitchen
topic write extra

pattern readwrite devices/%c/#
pattern write mail/%u/in
pattern read mail/%u/in
pattern read dev-%c/state
pattern read all
pattern deny devices/%c/secret
`.replace('topic\n', '')

const names = ['kitchen', 'lab', 'observer', 'a+b', 'nobody-in-the-list'] as const
type Name = (typeof names)[number]

/** Who comes, with which client id. */
const clients: readonly (readonly [user: Name | undefined, clientId: string])[] = [
  [undefined, 'one'],
  ['kitchen', 'two'],
  ['lab', 'three'],
  ['nobody-in-the-list', 'four'],
]

const topics: readonly string[] = [
  'public',
  'public/a',
  'inbox',
  'home/lamp',
  'home/lamp/x',
  'home/desk/state',
  'home/lock/state',
  'home/my room/a',
  'log/kitchen',
  'extra',
  'private/x',
  'elsewhere',
  'all',
  ...clients.flatMap(([, id]) => [`devices/${id}/a/b`, `devices/${id}/secret`, `dev-${id}/state`]),
  'mail/kitchen/in',
  'mail/lab/in',
  'mail/a/in',
  'mail//in',
  '$other/x',
]

let users: readonly User[] = []

before(async () => {
  users = await Promise.all(
    names.map(async (name) => ({ name, password: await hashPassword(`${name}-key`) })),
  )
})

async function ours(context: TestContext, text: string): Promise<number> {
  const acl = await aclOf(context, text)
  const { port } = await brokerWorld(context, {
    access: { allowAnonymous: 'everyone', credentials: undefined, users, acl },
  })
  return port
}

async function theirs(context: TestContext, text: string): Promise<number> {
  const passwords = users.map(({ name, password }) => `${name}:${passwordHashText(password)}\n`).join('')
  const { port } = await startMosquitto(context, {
    config: 'set_tcp_nodelay true\nallow_anonymous true\npassword_file passwords\nacl_file acl',
    files: { passwords, acl: text },
  })
  return port
}

/** A client of MQTT 3.1.1 that has been let in. */
async function enter(
  context: TestContext,
  port: number,
  user: Name | undefined,
  clientId: string,
): Promise<WireClient> {
  const client = await WireClient.connect(context, port)
  const credentials = user === undefined ? {} : { username: user, password: `${user}-key` }
  client.send(connectBytes({ clientId, ...credentials }))
  const { type, body } = await client.next()
  assert.deepEqual([type, body[1]], [2, 0], `${user} is let in`)
  return client
}

/** The payloads of the messages that come up to a packet of another kind. */
async function heardUntil(client: WireClient, type: number): Promise<string[]> {
  const heard: string[] = []
  for (;;) {
    const next = await client.next()
    if (next.type === type) return heard
    if (next.type === 3) heard.push(next.body.toString('utf8', 2 + next.body.readUInt16BE(0)))
  }
}

async function publish(client: WireClient, topic: string, payload: string): Promise<void> {
  client.send(packet(0x32, prefixed(topic), u16(1), payload))
  await heardUntil(client, 4)
}

async function subscribe(client: WireClient, ...filters: readonly string[]): Promise<void> {
  client.send(packet(0x82, u16(1), ...filters.flatMap((filter) => [prefixed(filter), [0]])))
  await heardUntil(client, 9)
}

/** What each client may write and read, found out by doing it. */
async function outcomes(context: TestContext, port: number, acl: string): Promise<Record<string, string[]>> {
  assert.ok(acl.includes('user observer'))
  const observer = await enter(context, port, 'observer', 'observer')
  await subscribe(observer, '#', '$other/#')
  const found: Record<string, string[]> = {}
  for (const [user, clientId] of clients) {
    const client = await enter(context, port, user, clientId)
    for (const topic of topics) await publish(client, topic, topic)
    observer.send(packet(0xc0))
    const written = await heardUntil(observer, 13)
    await subscribe(client, '#', '$other/#')
    for (const topic of topics) await publish(observer, topic, topic)
    client.send(packet(0xc0))
    const read = await heardUntil(client, 13)
    client.send(packet(0xe0))
    await client.closed()
    observer.send(packet(0xc0))
    await heardUntil(observer, 13)
    found[`${user ?? 'anonymous'} as ${clientId}`] = topics
      .map((topic) => `${topic} ${read.includes(topic) ? 'r' : ''}${written.includes(topic) ? 'w' : ''}`)
      .filter((line) => !line.endsWith(' '))
  }
  return found
}

const observed = `${list}user observer\ntopic readwrite #\ntopic readwrite $other/#\n`

test('the same file lets the same clients do the same here and at mosquitto', { skip }, async (context) => {
  const [here, there] = await Promise.all([
    ours(context, observed).then((port) => outcomes(context, port, observed)),
    theirs(context, observed).then((port) => outcomes(context, port, observed)),
  ])
  assert.deepEqual(here, there)
  assert.deepEqual(here['anonymous as one'], [
    'public r',
    'public/a r',
    'inbox w',
    'all r',
    'devices/one/a/b rw',
    'dev-one/state r',
  ])
  assert.deepEqual(here['kitchen as two'], [
    'home/lamp rw',
    'home/desk/state rw',
    'home/my room/a r',
    'log/kitchen w',
    'extra w',
    'all r',
    'devices/two/a/b rw',
    'dev-two/state r',
    'mail/kitchen/in rw',
  ])
})

/** What is another here, on purpose: `file`, who, topic, verb; what mosquitto does, what we do. */
const differing: readonly (readonly [
  title: string,
  acl: string,
  user: Name | undefined,
  clientId: string,
  topic: string,
  there: boolean,
  here: boolean,
])[] = [
  [
    'a pattern that denies holds against a topic line too',
    'user kitchen\ntopic readwrite #\npattern deny home/%c\n',
    'kitchen',
    'esp',
    'home/esp',
    true,
    false,
  ],
  [
    'a client id with a / is more than one level',
    'pattern readwrite home/%c/x\n',
    'kitchen',
    'a/b',
    'home/a/b/x',
    true,
    false,
  ],
  [
    'a client id that begins with $ opens no topics of the broker',
    'pattern readwrite %c/x\n',
    'kitchen',
    '$other',
    '$other/x',
    true,
    false,
  ],
  [
    'a name with a wildcard loses only the lines that it would widen',
    'pattern readwrite all\n',
    'a+b',
    'esp',
    'all',
    false,
    true,
  ],
]
for (const [title, acl, user, clientId, topic, there, here] of differing)
  test(`unlike at mosquitto, ${title}`, { skip }, async (context) => {
    const text = `${acl}user observer\ntopic readwrite #\ntopic readwrite $other/#\n`
    for (const [start, expected] of [
      [theirs, there],
      [ours, here],
    ] as const) {
      const port = await start(context, text)
      const observer = await enter(context, port, 'observer', 'observer')
      await subscribe(observer, '#', '$other/#')
      const client = await enter(context, port, user, clientId)
      await publish(client, topic, 'x')
      observer.send(packet(0xc0))
      assert.deepEqual(await heardUntil(observer, 13), expected ? ['x'] : [])
    }
  })

test('a subscription that can bring nothing is refused, which mosquitto accepts', {
  skip,
}, async (context) => {
  const codeAt = async (port: number, filter: string): Promise<number | undefined> => {
    const client = await enter(context, port, 'kitchen', 'esp')
    client.send(packet(0x82, u16(1), prefixed(filter), [1]))
    return (await client.next()).body[2]
  }
  const acl = 'user kitchen\ntopic readwrite home/#\n'
  const [here, there] = [await ours(context, acl), await theirs(context, acl)]
  assert.deepEqual([await codeAt(here, 'garden/#'), await codeAt(there, 'garden/#')], [0x80, 1])
  assert.deepEqual([await codeAt(here, '#'), await codeAt(there, '#')], [1, 1])
})

test('clients of MQTT 5 are told 0x87 by both when they may not publish', { skip }, async (context) => {
  const acl = 'user kitchen\ntopic readwrite home/#\n'
  for (const port of [await ours(context, acl), await theirs(context, acl)]) {
    const client = await WireClient.connect(context, port)
    client.send(connectBytes({ level: 5, clientId: 'esp', username: 'kitchen', password: 'kitchen-key' }))
    await client.next()
    client.send(
      publishBytes('garden/x', 'x', { qos: 1, id: 1 }),
      publishBytes('home/x', 'x', { qos: 1, id: 2 }),
    )
    assert.equal((await client.next()).body[2], 0x87)
    assert.ok([undefined, 0, 0x10].includes((await client.next()).body[2]))
    client.send(subscribeBytes(3, [['home/#', 0]]), pingreq)
    assert.equal((await client.next()).body.at(-1), 0)
  }
})
