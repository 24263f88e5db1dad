import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ClassicLevel } from 'classic-level'
import fc from 'fast-check'
import { decodeMsgpack, MsgpackError } from '#src/broker/journal/msgpack.js'
import { openJournal, restoredFrom } from '../../support/journal.js'
import { tempFolder } from '../../support/temp-folder.js'

/** A store as aedes-persistence-level 9.2 wrote it for version 0.2. */
const entries = [
  [
    'incoming:kitchen%3A1%2F%C3%BC:0000000000000003',
    'iaNjbWSncHVibGlzaKhicm9rZXJJZKJiMa1icm9rZXJDb3VudGVyzQGQpXRvcGljomlup3BheWxvYWTEAXijcW9zAqZyZXRhaW7Co2R1cMKpbWVzc2FnZUlkAw==',
  ],
  [
    'outgoing-id:kitchen%3A1%2F%C3%BC:0000000000000009',
    'iaNjbWSncHVibGlzaKhicm9rZXJJZKJiMa1icm9rZXJDb3VudGVyzQEtpXRvcGljqWhvdXNlLzMwMadwYXlsb2FkxARwMzAxo3FvcwKmcmV0YWluwqNkdXDCqW1lc3NhZ2VJZAk=',
  ],
  [
    'outgoing-id:kitchen%3A1%2F%C3%BC:0000000000000010',
    'hKNjbWSmcHVicmVsqW1lc3NhZ2VJZAqoYnJva2VySWSiYjGtYnJva2VyQ291bnRlcs0BLg==',
  ],
  [
    'outgoing:kitchen%3A1%2F%C3%BC:b1:0000000000000300',
    'iaNjbWSncHVibGlzaKhicm9rZXJJZKJiMa1icm9rZXJDb3VudGVyzQEspXRvcGljqWhvdXNlLzMwMKdwYXlsb2FkxARwMzAwo3FvcwGmcmV0YWluwqNkdXDCqW1lc3NhZ2VJZMA=',
  ],
  [
    'outgoing:kitchen%3A1%2F%C3%BC:b1:0000000000000301',
    'iaNjbWSncHVibGlzaKhicm9rZXJJZKJiMa1icm9rZXJDb3VudGVyzQEtpXRvcGljqWhvdXNlLzMwMadwYXlsb2FkxARwMzAxo3FvcwKmcmV0YWluwqNkdXDCqW1lc3NhZ2VJZAk=',
  ],
  [
    'outgoing:kitchen%3A1%2F%C3%BC:b1:0000000000000302',
    'hKNjbWSmcHVicmVsqW1lc3NhZ2VJZAqoYnJva2VySWSiYjGtYnJva2VyQ291bnRlcs0BLg==',
  ],
  [
    'retained:größe',
    'iKNjbWSncHVibGlzaKhicm9rZXJJZKJiMa1icm9rZXJDb3VudGVyAqV0b3BpY6dncsO2w59lp3BheWxvYWTEKHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHijcW9zAaZyZXRhaW7Do2R1cMI=',
  ],
  [
    'retained:house/door',
    'iaNjbWSncHVibGlzaKhicm9rZXJJZKJiMa1icm9rZXJDb3VudGVyAaV0b3BpY6pob3VzZS9kb29yp3BheWxvYWTEBG9wZW6jcW9zAKZyZXRhaW7Do2R1cMKoY2xpZW50SWSkZG9vcg==',
  ],
  ['subscriptions:cellar:+', 'g6V0b3BpY6Ero3FvcwCoY2xpZW50SWSmY2VsbGFy'],
  ['subscriptions:kitchen%3A1%2F%C3%BC:a:b', 'g6V0b3BpY6NhOmKjcW9zAqhjbGllbnRJZKxraXRjaGVuOjEvw7w='],
  [
    'subscriptions:kitchen%3A1%2F%C3%BC:house/#',
    'hqV0b3BpY6dob3VzZS8jo3FvcwGicmgAo3JhcMKibmzDqGNsaWVudElkrGtpdGNoZW46MS/DvA==',
  ],
  [
    'will:kitchen%3A1%2F%C3%BC',
    'iaNjbWSncHVibGlzaKhicm9rZXJJZKJiMa1icm9rZXJDb3VudGVyAaV0b3BpY6R3aWxsp3BheWxvYWTEAXijcW9zAKZyZXRhaW7Co2R1cMKoY2xpZW50SWSsa2l0Y2hlbjoxL8O8',
  ],
] as const

async function legacyStore(context: TestContext): Promise<string> {
  const dataDir = await tempFolder(context)
  const level = new ClassicLevel<string, Buffer>(join(dataDir, 'broker'), { valueEncoding: 'buffer' })
  for (const [key, value] of entries) await level.put(key, Buffer.from(value, 'base64'))
  await level.close()
  return dataDir
}

test('what version 0.2 kept is taken over: retained messages, subscriptions, and what waits for sessions', async (context) => {
  const dataDir = await legacyStore(context)
  const { journal, restored, log } = await openJournal(context, dataDir)
  assert.deepEqual(
    restored.retained.map(({ topic, payload, qos, client }) => [topic, payload.toString(), qos, client]),
    [
      ['größe', 'x'.repeat(40), 1, ''],
      ['house/door', 'open', 0, 'door'],
    ].toSorted(([a], [b]) => Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)))),
  )
  const [kitchen, cellar] = restored.sessions.toSorted((a, b) =>
    b.record.clientId.localeCompare(a.record.clientId),
  )
  assert.equal(kitchen?.record.clientId, 'kitchen:1/ü')
  assert.equal(kitchen.record.expirySeconds, 0xffff_ffff)
  assert.ok(kitchen.record.disconnectedAtMs > 0)
  assert.deepEqual(
    kitchen.subscriptions.map(({ filter, qos, noLocal }) => [filter, qos, noLocal]),
    [
      ['a:b', 2, false],
      ['house/#', 1, true],
    ],
  )
  assert.deepEqual(
    kitchen.deliveries.map(({ message: { topic, payload }, delivery: { qos, packetId, isReleased } }) => [
      topic,
      payload.toString(),
      qos,
      packetId,
      isReleased,
    ]),
    [
      ['house/300', 'p300', 1, 0, false],
      ['house/301', 'p301', 2, 9, false],
      ['', '', 2, 10, true],
    ],
  )
  assert.deepEqual([cellar?.record.clientId, cellar?.subscriptions[0]?.filter], ['cellar', '+'])
  const [line] = log.having('took over the store of an earlier version')
  assert.deepEqual(line?.fields, { store: join(dataDir, 'broker'), retained: 2, sessions: 2, messages: 3 })
  await journal.close()

  assert.deepEqual(await restoredFrom(context, dataDir), restored, 'the next start finds the same')
  const level = new ClassicLevel(join(dataDir, 'broker'))
  assert.deepEqual(await level.keys({ gte: 'a' }).all(), [], 'the old keys are gone')
  await level.close()
})

test('what an earlier version wrote beside a store of ours is told and set aside, not taken over again', async (context) => {
  const dataDir = await legacyStore(context)
  const { journal, restored } = await openJournal(context, dataDir)
  journal.deleteRetained('house/door')
  await journal.close()
  const level = new ClassicLevel<string, Buffer>(join(dataDir, 'broker'), { valueEncoding: 'buffer' })
  const [key, value] = entries.find(([name]) => name === 'retained:house/door') ?? entries[0]
  await level.put(key, Buffer.from(value, 'base64'))
  await level.close()
  const { journal: next, restored: again, log } = await openJournal(context, dataDir)
  await next.close()
  assert.equal(again.retained.length, 1)
  assert.equal(again.sessions.length, restored.sessions.length)
  const [line] = log.having(
    'an earlier version wrote to the store since it was taken over: this is set aside, not used',
  )
  assert.deepEqual([line?.fields['retained'], line?.fields['sessions'], line?.fields['messages']], [1, 0, 0])
  const [aside] = (await readdir(dataDir)).filter((name) => name.startsWith('broker.older-'))
  assert.deepEqual(JSON.parse(await readFile(join(dataDir, String(aside)), 'utf8')), {
    retain: true,
    topic: 'house/door',
    payload: Buffer.from('open').toString('base64'),
    qos: 0,
  })
  const { journal: last, log: quiet } = await openJournal(context, dataDir)
  await last.close()
  assert.deepEqual(quiet.lines, [])
})

test('an old record that cannot be read is skipped, counted and told', async (context) => {
  const dataDir = await legacyStore(context)
  const level = new ClassicLevel<string, Buffer>(join(dataDir, 'broker'), { valueEncoding: 'buffer' })
  await level.put('retained:bad', Buffer.from([0x82, 0xa1]))
  await level.put('subscriptions:%', Buffer.from([0x80]))
  await level.close()
  const { restored, log } = await openJournal(context, dataDir)
  assert.equal(restored.retained.length, 2)
  const [line] = log.having('some of the store could not be read, and is lost')
  assert.equal(line?.fields['damagedRecords'], 2)
})

for (const [hex, expected] of [
  ['7f', 127],
  ['ff', -1],
  ['e0', -32],
  ['ccff', 255],
  ['cdffff', 65_535],
  ['ceffffffff', 4_294_967_295],
  ['cf0000000100000000', 2 ** 32],
  ['d080', -128],
  ['d18000', -32_768],
  ['d280000000', -(2 ** 31)],
  ['d3ffffffffffffffff', -1],
  ['ca3fc00000', 1.5],
  ['cb3ff8000000000000', 1.5],
  ['c0', undefined],
  ['c2', false],
  ['c3', true],
  ['a161', 'a'],
  ['d90161', 'a'],
  ['da000161', 'a'],
  ['db0000000161', 'a'],
  ['c40101', Buffer.from([1])],
  ['c5000101', Buffer.from([1])],
  ['c60000000101', Buffer.from([1])],
  ['9101', [1]],
  ['dc000101', [1]],
  ['dd0000000101', [1]],
  ['81a16101', new Map([['a', 1]])],
  ['de0001a16101', new Map([['a', 1]])],
  ['df00000001a16101', new Map([['a', 1]])],
] as const) {
  test(`MessagePack ${hex} is read`, () => {
    assert.deepEqual(decodeMsgpack(Buffer.from(hex, 'hex')), expected)
  })
}

test('bytes that are no MessagePack are refused, however deep or long they claim to be', () => {
  for (const hex of ['', 'a2', 'c4ff00', 'dfffffffff', 'c1', 'd4', '91'.repeat(100)])
    assert.throws(() => decodeMsgpack(Buffer.from(hex, 'hex')), MsgpackError, hex)
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      try {
        decodeMsgpack(Buffer.from(bytes))
      } catch (error) {
        assert.ok(error instanceof MsgpackError)
      }
    }),
  )
})
