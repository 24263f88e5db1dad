import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Bind } from '#src/core/bind.js'
import { DamselflyError } from '#src/core/errors.js'
import { Doors } from '#src/system/doors.js'
import type { LanState } from '#src/system/lan.js'
import { MemoryLog } from '../support/memory-log.js'
import { until } from '../support/until.js'

function entry(name: string, address: string) {
  const isLoopback = name === 'lo'
  return {
    interface: name,
    address,
    family: 4 as const,
    netmask: '255.255.255.0',
    isLoopback,
    isLinkLocal: false,
    isDeprecated: false,
  }
}

function stateWith(lan?: string): LanState {
  return {
    host: 'pi',
    lan: lan === undefined ? undefined : { interface: 'eth0', address: lan },
    addresses: [entry('lo', '127.0.0.1'), ...(lan === undefined ? [] : [entry('eth0', lan)])],
    interfaces: ['lo', 'eth0'],
  }
}

/** Doors on a network that the test moves, with listeners that refuse what the test says. */
function world(context: TestContext, lan?: string) {
  const listeners = new Set<(state: LanState) => void>()
  const network = {
    state: stateWith(lan),
    onChange(listener: (state: LanState) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    move(address?: string) {
      network.state = stateWith(address)
      for (const listener of listeners) listener(network.state)
    },
  }
  const refused = new Set<string>()
  const calls: { addresses: readonly string[]; port: number }[] = []
  const listening = {
    async listen(addresses: readonly string[], port: number) {
      calls.push({ addresses, port })
      return addresses
        .filter((address) => refused.has(address))
        .map((address) => ({ address, error: new DamselflyError('ADDRESS_IN_USE', `${address} is taken`) }))
    },
  }
  const log = new MemoryLog()
  let changes = 0
  const doors = new Doors({ lan: network, listening, log, retryMs: 20, onChange: () => changes++ })
  context.after(() => doors[Symbol.asyncDispose]())
  return { network, refused, calls, log, doors, changes: () => changes }
}

const lanOnly: readonly Bind[] = [{ kind: 'lan' }]

test('without a LAN address loopback is served, what is missing is said once, and the address is opened when it comes', async (context) => {
  const { doors, network, log } = world(context)
  await doors.apply(lanOnly, 1883)
  assert.deepEqual([doors.addresses, doors.pending.length], [['127.0.0.1'], 1])
  network.move()
  network.move('10.0.0.5')
  await until('it is open', () => doors.addresses.includes('10.0.0.5'))
  assert.deepEqual(doors.pending, [])
  assert.equal(log.having('not listening everywhere yet').length, 1)
})

test('a change of address moves the door', async (context) => {
  const { doors, network, changes } = world(context, '10.0.0.5')
  await doors.apply(lanOnly, 1883)
  const before = changes()
  network.move('10.0.0.6')
  await until('it has moved', () => doors.addresses.includes('10.0.0.6'))
  assert.deepEqual(doors.addresses, ['10.0.0.6', '127.0.0.1'])
  assert.equal(changes(), before + 1)
})

test('an address that is taken is tried again until it is free', async (context) => {
  const { doors, refused, log } = world(context, '10.0.0.5')
  await doors.apply([{ kind: 'loopback' }], 1883)
  refused.add('10.0.0.5')
  await doors.apply(lanOnly, 1883)
  assert.deepEqual([doors.addresses, doors.pending], [['127.0.0.1'], ['10.0.0.5 is taken']])
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.equal(log.having('not listening everywhere yet').length, 1)
  refused.clear()
  await until('it is open', () => doors.addresses.includes('10.0.0.5'))
})

test('an address that is taken at the start is an error, though others are free', async (context) => {
  const { doors, refused } = world(context, '10.0.0.5')
  refused.add('127.0.0.1')
  await assert.rejects(doors.apply(lanOnly, 1883), { code: 'ADDRESS_IN_USE', message: /127\.0\.0\.1/ })
})

test('no door at all is an error with the reason of the first', async (context) => {
  const { doors, refused } = world(context)
  refused.add('127.0.0.1')
  await assert.rejects(doors.apply([{ kind: 'loopback' }], 1883), { code: 'ADDRESS_IN_USE' })
})

test('another port closes all doors before it opens them', async (context) => {
  const { doors, calls } = world(context)
  await doors.apply([{ kind: 'loopback' }], 1883)
  await doors.apply([{ kind: 'loopback' }], 1884)
  assert.deepEqual(
    calls.map(({ addresses, port }) => `${addresses} ${port}`),
    ['127.0.0.1 1883', ' 1884', '127.0.0.1 1884'],
  )
})

test('disposed, it follows no more', async (context) => {
  const { doors, network, calls } = world(context)
  await doors.apply(lanOnly, 1883)
  await doors[Symbol.asyncDispose]()
  network.move('10.0.0.5')
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(calls.length, 1)
})
