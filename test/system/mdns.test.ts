import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Counters } from '#src/core/counters.js'
import { type DnsMessage, type DnsRecord, decodeMessage, encodeMessage } from '#src/core/dns-message.js'
import { limits } from '#src/core/limits.js'
import type { Listener } from '#src/core/listener.js'
import { MulticastSocket } from '#src/core/multicast-socket.js'
import { Secret } from '#src/core/secret.js'
import { hostLabel, instanceLabel, otherLabel } from '#src/core/service-names.js'
import { chooseLan } from '#src/system/lan-choice.js'
import { Responder } from '#src/system/mdns/responder.js'
import { SentPackets } from '#src/system/mdns/sent-packets.js'
import type { Advertisement } from '#src/system/mdns/service-records.js'
import { advertisementsOf, Mdns } from '#src/system/mdns.js'
import { MemoryLog } from '../support/memory-log.js'
import { networkOf } from '../support/system-network.js'
import { until } from '../support/until.js'

const listener = (more: Partial<Listener> = {}): Listener => ({
  name: 'main',
  where: { kind: 'tcp', bind: [{ kind: 'lan' }], port: 1_883 },
  webSocket: undefined,
  tls: undefined,
  allowAnonymous: 'local',
  credentials: undefined,
  users: [],
  acl: undefined,
  connectionsMax: undefined,
  ...more,
})
const tls = {
  certificate: '',
  key: new Secret(''),
  clientAuthorities: undefined,
  revocations: undefined,
  clientCertificates: 'off',
  userFrom: 'nothing',
  minVersion: 'TLSv1.2',
} as const

function stateOf(addresses: Record<string, readonly string[]>) {
  const network = networkOf(addresses)
  return { host: 'pi', lan: chooseLan(network), ...network }
}
const told = (listeners: readonly Listener[], addresses: Record<string, readonly string[]>) =>
  [...advertisementsOf({ name: 'shed', listeners }, stateOf(addresses), '1')].map(([name, { ad }]) => [
    name,
    ad.services.map(({ isSecure, port, suffix }) => `${isSecure ? 'tls' : 'plain'} ${port} ${suffix}`.trim()),
    ad.addresses,
  ])

test('told is where the listeners can be reached: each network with its own addresses, no containers', () => {
  const all = listener({ where: { kind: 'tcp', bind: [{ kind: 'all' }], port: 1_883 } })
  const house = {
    eth0: ['10.77.0.5/24', 'fe80::1/64', 'fd00::5/64'],
    wlan0: ['10.78.0.5/24'],
    docker0: ['172.17.0.1/16'],
  }
  assert.deepEqual(told([listener()], house), [['eth0', ['plain 1883'], ['10.77.0.5']]])
  assert.deepEqual(told([all], house), [
    ['eth0', ['plain 1883'], ['10.77.0.5', 'fd00::5']],
    ['wlan0', ['plain 1883'], ['10.78.0.5']],
  ])
  const secure = listener({ name: 'tls', where: { ...all.where, port: 8_883 } as Listener['where'], tls })
  const second = listener({ name: 'guests', where: { ...all.where, port: 1_884 } as Listener['where'] })
  assert.deepEqual(told([all, secure, second], { eth0: ['10.77.0.5/24'] }), [
    ['eth0', ['plain 1883', 'tls 8883', 'plain 1884 guests'], ['10.77.0.5']],
  ])
})

test('nothing is told of what the LAN cannot reach, and of what has no type of service', () => {
  const house = { eth0: ['10.77.0.5/24'] }
  const none: Partial<Listener>[] = [
    { where: { kind: 'tcp', bind: [{ kind: 'loopback' }], port: 1_883 } },
    { where: { kind: 'tcp', bind: [{ kind: 'address', address: '10.99.0.1' }], port: 1_883 } },
    { where: { kind: 'unix', path: '/run/x', mode: 0o660 } },
    { webSocket: { path: '/mqtt', origins: [] } },
  ]
  for (const more of none) assert.deepEqual(told([listener(more)], house), [])
  assert.deepEqual(told([listener()], {}), [])
})

test('names become labels: no dots, at most 63 bytes, and a host has letters, digits and dashes', () => {
  assert.equal(instanceLabel('shed.garden'), 'shed-garden')
  assert.equal(Buffer.byteLength(instanceLabel('ä'.repeat(64))), 62)
  assert.ok(Buffer.byteLength(otherLabel('ä'.repeat(31), 12)) <= 63)
  assert.equal(hostLabel('Gärten & Höfe!'), 'Ga-rten-Ho-fe')
  assert.equal(hostLabel('温室'), 'damselfly')
  assert.equal(hostLabel('x'.repeat(99)).length, 60)
})

// loopback is a link as well, and nobody else's
const link = { address: '127.0.0.1', netmask: '255.0.0.0' }
const unique = (name: string) => `${name}-${process.pid}`
const adOf = (name: string, more: Partial<Advertisement> = {}): Advertisement => ({
  name,
  version: '1',
  services: [{ isSecure: false, port: 1_883, suffix: '' }],
  addresses: ['10.77.0.1'],
  ...more,
})

async function respond(
  context: TestContext,
  ad: Advertisement,
  own: (address: string) => boolean = () => true,
  restMs = 60_000,
): Promise<{ responder: Responder; renamed: string[]; errors: Error[] }> {
  const renamed: string[] = []
  const errors: Error[] = []
  const responder = new Responder(ad, {
    link,
    counters: new Counters(),
    sent: new SentPackets(),
    isOwnAddress: own,
    onRenamed: ({ taken }) => renamed.push(taken),
    onError: (error) => errors.push(error),
    restMs,
  })
  await responder.start()
  context.after(() => responder.stop())
  return { responder, renamed, errors }
}

/** Hears everything. */
async function listen(context: TestContext): Promise<{ heard: DnsMessage[]; socket: MulticastSocket }> {
  const heard: DnsMessage[] = []
  const socket = await MulticastSocket.open({
    link,
    onMessage: (message) => heard.push(message),
    onError: () => {},
  })
  context.after(() => socket[Symbol.dispose]())
  return { heard, socket }
}

const answered = (heard: readonly DnsMessage[], name: string): DnsRecord[] =>
  heard
    .filter(({ isResponse }) => isResponse)
    .flatMap(({ answers }) => answers)
    .filter((record) => JSON.stringify(record).includes(name))

test('who takes every name of ours silences us for a while, and not for good', async (context) => {
  const name = unique('robbed')
  const { heard, socket } = await listen(context)
  let isRobbing = true
  const rob = setInterval(() => {
    const wanted = heard.splice(0).flatMap(({ authorities }) => authorities)
    const taken = wanted.filter(({ type, name: of }) => isRobbing && type === 'SRV' && of.startsWith(name))
    for (const record of taken)
      void socket.send(
        encodeMessage({
          isResponse: true,
          answers: [{ ...record, data: { ...(record.data as object), port: 1 } } as DnsRecord],
        }),
      )
  }, 5)
  context.after(() => clearInterval(rob))
  const { renamed, errors } = await respond(context, adOf(name), () => true, 300)
  await until('it gives up', () => errors.length === 1)
  assert.ok(renamed.length > 5, `${renamed.length} names`)
  isRobbing = false
  const { heard: later } = await listen(context)
  await until('it is told by its first name', () => answered(later, name).length > 0)
  assert.ok(answered(later, name).every((record) => !JSON.stringify(record).includes(`${name}-2`)))
})

test('it is told after three questions that nobody answers, and taken back at the end', async (context) => {
  const name = unique('told')
  const { heard } = await listen(context)
  const { responder } = await respond(context, adOf(name))
  await until('it is told', () => answered(heard, name).length > 0)
  const asked = heard.filter(({ questions }) =>
    questions.some((one) => one.name === `${name}._mqtt._tcp.local`),
  )
  assert.equal(asked.length, 3)
  const [first] = heard.filter(
    ({ isResponse, answers }) => isResponse && answers.some(({ type }) => type === 'SRV'),
  )
  assert.deepEqual(
    first?.answers.map(({ type }) => type),
    ['PTR', 'PTR', 'SRV', 'TXT', 'A'],
  )
  await responder.stop()
  await until('it is taken back', () =>
    answered(heard, name).some(({ ttl, type }) => ttl === 0 && type === 'PTR'),
  )
})

test('who asks from a port of his own is answered there, with his id and for a short time', async (context) => {
  const name = unique('legacy')
  const { heard } = await listen(context)
  await respond(context, adOf(name))
  await until('it is told', () => answered(heard, name).length > 0)
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  context.after(() => socket.close())
  await once(socket, 'listening')
  socket.setMulticastInterface('127.0.0.1')
  const questions = [{ name: `${name}._mqtt._tcp.local`, type: 'SRV' }]
  socket.send(encodeMessage({ id: 99, questions }), 5_353, '224.0.0.251')
  const [bytes] = (await once(socket, 'message')) as [Buffer]
  const answer = decodeMessage(bytes)
  assert.equal(answer?.id, 99)
  assert.equal(answer.questions.length, 1)
  assert.deepEqual(
    answer.answers.map(({ type, ttl, flush }) => [type, ttl, flush]),
    [['SRV', 10, false]],
  )
  assert.deepEqual(
    answer.additionals.map(({ type }) => type),
    ['A'],
  )
})

test('what the asker knows is not told again, and nobody hears the same twice in a second', async (context) => {
  const name = unique('known')
  const { heard, socket } = await listen(context)
  await respond(context, adOf(name))
  const pointer: DnsRecord = {
    name: '_mqtt._tcp.local',
    type: 'PTR',
    ttl: 4_500,
    data: `${name}._mqtt._tcp.local`,
  }
  const pointers = () => answered(heard, name).filter(({ type, ttl }) => type === 'PTR' && ttl > 0).length
  await until('it is told twice', () => pointers() === 2)
  await sleep(1_050)
  const ask = (answers: readonly DnsRecord[]) =>
    socket.send(encodeMessage({ questions: [{ name: pointer.name, type: 'PTR' }], answers }))
  await ask([pointer])
  await sleep(200)
  assert.equal(pointers(), 2)
  for (let count = 0; count < 20; count++) await ask([])
  await until('it is told', () => pointers() === 3)
  await sleep(200)
  assert.equal(pointers(), 3)
})

test('of two of one name the second takes another, and says so', async (context) => {
  const name = unique('twin')
  const far = () => false
  const { heard } = await listen(context)
  await respond(context, adOf(name), far)
  await until('the first is told', () => answered(heard, name).length > 0)
  const second = await respond(
    context,
    adOf(name, { addresses: ['10.77.0.2'], services: [{ isSecure: false, port: 1_884, suffix: '' }] }),
    far,
  )
  await until('the second is told', () => answered(heard, `${name}-2.local`).length > 0, 5_000)
  assert.deepEqual(second.renamed.sort(), [`${name} (2)._mqtt._tcp.local`, `${name}-2.local`])
  assert.ok(answered(heard, `${name} (2)._mqtt._tcp.local`).length > 0)
})

test('the name of the host is left to whoever tells it on this machine', async (context) => {
  const name = unique('avahi')
  const { heard, socket } = await listen(context)
  const { renamed } = await respond(context, adOf(name))
  const address: DnsRecord = { name: `${name}.local`, type: 'A', ttl: 120, flush: true, data: '10.77.0.1' }
  const other: DnsRecord = { ...address, data: '10.77.0.8' }
  await until('it asks', () =>
    heard.some(({ authorities }) => authorities.some((one) => one.name === address.name)),
  )
  await socket.send(encodeMessage({ isResponse: true, answers: [address, other] }))
  await until('it is told', () => answered(heard, `${name}._mqtt`).length > 0)
  const [ours] = heard.filter(
    ({ isResponse, answers }) => isResponse && answers.some(({ type }) => type === 'SRV'),
  )
  assert.deepEqual(renamed, [])
  assert.ok(ours?.answers.every(({ type }) => type !== 'A'))
  assert.ok(ours?.additionals.some(({ type, flush }) => type === 'A' && flush === false))
})

test('a flood of noise is heard up to mdnsPacketRateMax a second, and answered afterwards', async (context) => {
  const name = unique('noise')
  const counters = new Counters()
  let heard = 0
  const socket = await MulticastSocket.open({ link, counters, onMessage: () => heard++, onError: () => {} })
  context.after(() => socket[Symbol.dispose]())
  await sleep(1_000 - (performance.now() % 1_000)) // a new second
  const bytes = encodeMessage({ questions: [{ name, type: 'A' }] })
  for (let count = 0; count < limits.mdnsPacketRateMax + 50; count++) {
    if (count % 50 === 0) await sleep(1) // or the kernel drops them
    await socket.send(count % 3 === 0 ? Buffer.from('noise') : bytes)
  }
  await sleep(50)
  assert.ok((counters.snapshot()['mdnsPacketRateMax'] ?? 0) >= 1)
  assert.ok(heard <= limits.mdnsPacketRateMax)
  await sleep(1_000)
  const before = heard
  await socket.send(bytes)
  await until('it is heard again', () => heard > before)
})

test('a network that cannot be used is one warning, and the rest goes on', async (context) => {
  const log = new MemoryLog()
  const state = { ...stateOf({ eth0: ['203.0.113.7/24'] }) } // not an address of this machine: the system refuses
  const mdns = new Mdns({
    lan: { state, onChange: () => () => {} },
    log,
    counters: new Counters(),
    version: '1',
  })
  context.after(() => mdns[Symbol.asyncDispose]())
  const settings = { name: 'shed', mdns: true, listeners: [listener()] }
  await mdns.apply(settings)
  await mdns.apply(settings)
  assert.equal(log.having('broker cannot be found by mDNS').length, 1)
})
