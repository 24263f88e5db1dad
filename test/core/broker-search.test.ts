import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chooseBroker, parseSearch } from '#src/core/broker-search.js'
import type { DnsMessage, DnsRecord } from '#src/core/dns-message.js'
import { type FoundBroker, FoundBrokers } from '#src/core/found-brokers.js'
import { limits } from '#src/core/limits.js'

const broker = (name: string, more: Partial<FoundBroker> = {}): FoundBroker => ({
  name,
  host: `${name}.local`,
  port: 1_883,
  isSecure: false,
  addresses: ['10.77.0.1'],
  version: '1',
  ...more,
})
const any = { name: undefined, isSecureOnly: false, isSecurePreferred: false }
const shed = broker('shed')
const shedSecure = broker('shed', { isSecure: true, port: 8_883 })
const attic = broker('attic', { addresses: ['10.77.0.2'] })

test('auto, with a name or without, with TLS or without, and nothing else is looked for', () => {
  assert.deepEqual(parseSearch('auto'), { name: undefined, isSecureOnly: false })
  assert.deepEqual(parseSearch('AUTO:Garden shed'), { name: 'Garden shed', isSecureOnly: false })
  assert.deepEqual(parseSearch('auto-tls'), { name: undefined, isSecureOnly: true })
  assert.deepEqual(parseSearch('auto-tls:shed'), { name: 'shed', isSecureOnly: true })
  for (const other of ['', 'auto:', 'automatic', 'auto-tls:', 'mqtt://auto', 'auto.local'])
    assert.equal(parseSearch(other), undefined, other)
})

test('the only one is taken, or the one of that name', () => {
  assert.equal(chooseBroker([shed], any), shed)
  assert.equal(chooseBroker([shed, attic], { ...any, name: 'ATTIC' }), attic)
})

test('of several none is taken, and all are told, without what would move a cursor', () => {
  const evil = broker('\u001b[2J\u202eevil')
  assert.throws(() => chooseBroker([shed, attic, evil], any), {
    code: 'BROKER_UNREACHABLE',
    message:
      /several brokers.*shed \(10\.77\.0\.1 port 1883\), attic \(10\.77\.0\.2 port 1883\), \?\[2J\?evil/,
  })
})

test('two machines of one name are not told apart: neither is taken', () => {
  const impostor = broker('shed', { host: 'other.local', addresses: ['10.77.0.66'] })
  assert.throws(() => chooseBroker([shed, impostor], { ...any, name: 'shed' }), /several brokers/)
})

test('without the one that is meant, the others are told', () => {
  assert.throws(
    () => chooseBroker([attic], { ...any, name: 'shed' }),
    /no broker named "shed".*there are attic/,
  )
  assert.throws(() => chooseBroker([], any), /no broker answers on this network/)
})

test('a password goes over TLS where there is TLS; without one the plain way is taken', () => {
  assert.equal(chooseBroker([shed, shedSecure], any), shed)
  assert.equal(chooseBroker([shed, shedSecure], { ...any, isSecurePreferred: true }), shedSecure)
  assert.equal(chooseBroker([shed], { ...any, isSecurePreferred: true }), shed)
})

test('who wants TLS alone gets no other, and none whose certificate a public authority could have signed', () => {
  const strict = { ...any, isSecureOnly: true, isSecurePreferred: true }
  assert.equal(chooseBroker([shed, shedSecure], strict), shedSecure)
  assert.throws(() => chooseBroker([shed], strict), /no broker that speaks TLS/)
  for (const host of ['evil.example.com', 'shed.local.evil.com', '10.77.0.66', 'a.b.local'])
    assert.throws(() => chooseBroker([{ ...shedSecure, host }], strict), /no broker that speaks TLS/, host)
})

const response = (answers: readonly DnsRecord[]): DnsMessage => ({
  id: 0,
  isResponse: true,
  questions: [],
  answers,
  authorities: [],
  additionals: [],
})
const of = (name: string, address: string): DnsRecord[] => [
  { name: '_MQTT._tcp.local', type: 'PTR', ttl: 120, data: `${name}._mqtt._tcp.local` },
  { name: `${name}._mqtt._tcp.local`, type: 'SRV', ttl: 120, data: { target: `${name}.local`, port: 1_883 } },
  { name: `${name}.local`, type: 'A', ttl: 120, data: address },
]
const link = { address: '10.77.0.9', netmask: '255.255.255.0' }

test('answers are put together in whatever order they come, and what is taken back is gone', () => {
  const found = new FoundBrokers([link])
  const [pointer, where, address] = of('shed', '10.77.0.1') as [DnsRecord, DnsRecord, DnsRecord]
  found.add(response([pointer]))
  assert.deepEqual(
    found.missing.map(({ type }) => type),
    ['SRV', 'TXT'],
  )
  found.add(response([where]))
  assert.deepEqual(found.missing, [{ name: 'shed.local', type: 'A' }])
  found.add(response([address, { ...address, data: '192.168.7.7' } as DnsRecord]))
  assert.deepEqual(found.list, [
    { ...broker('shed', { version: undefined }), addresses: ['10.77.0.1', '192.168.7.7'] },
  ])
  found.add(response([{ ...pointer, ttl: 0 }]))
  assert.deepEqual(found.list, [])
})

test('nobody is sent to this machine itself, to all machines, or by a question', () => {
  const found = new FoundBrokers([link])
  for (const [index, address] of ['127.0.0.1', '0.0.0.0', '224.0.0.251', '255.255.255.255'].entries())
    found.add(response(of(`b${index}`, address)))
  found.add({ ...response(of('asked', '10.77.0.1')), isResponse: false })
  assert.deepEqual(found.list, [])
})

test('brokersFoundMax brokers are found, one more is not', () => {
  const found = new FoundBrokers([link])
  for (let index = 0; index <= limits.brokersFoundMax; index++) {
    found.add(response(of(`b${index}`, '10.77.0.1')))
    assert.equal(found.list.length, Math.min(index + 1, limits.brokersFoundMax))
  }
})
