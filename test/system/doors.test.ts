import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Bind } from '#src/core/bind.js'
import { DamselflyError } from '#src/core/errors.js'
import { type Listener, mainListener, type WayIn } from '#src/core/listener.js'
import { Doors } from '#src/system/doors.js'
import type { LanState } from '#src/system/lan.js'
import { listenerAt } from '../support/broker.js'
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
  const calls: string[] = []
  const listening = {
    async listen(ways: readonly WayIn[]) {
      calls.push(ways.map(({ listener, addresses }) => `${listener.name} ${addresses}`).join('; '))
      return ways.flatMap(({ listener, addresses }) =>
        addresses
          .filter((address) => refused.has(address))
          .map((address) => ({
            listener: listener.name,
            address,
            error: new DamselflyError('ADDRESS_IN_USE', `${address} is taken`),
          })),
      )
    },
  }
  const log = new MemoryLog()
  let changes = 0
  const doors = new Doors({ lan: network, listening, log, retryMs: 20, onChange: () => changes++ })
  context.after(() => doors[Symbol.asyncDispose]())
  return { network, refused, calls, log, doors, changes: () => changes }
}

function listenerOn(bind: readonly Bind[], name: string = mainListener, port = 1883): Listener {
  return listenerAt(port, { name, where: { kind: 'tcp', bind, port } })
}

const lanOnly = [listenerOn([{ kind: 'lan' }])]
const loopbackOnly = [listenerOn([{ kind: 'loopback' }])]

test('without a LAN address loopback is served, what is missing is said once, and the address is opened when it comes', async (context) => {
  const { doors, network, log } = world(context)
  await doors.apply(lanOnly)
  assert.deepEqual([doors.addressesOf(), doors.pending.length], [['127.0.0.1'], 1])
  network.move()
  network.move('10.0.0.5')
  await until('it is open', () => doors.addressesOf().includes('10.0.0.5'))
  assert.deepEqual(doors.pending, [])
  assert.equal(log.having('not listening everywhere yet').length, 1)
})

test('a change of address moves the door', async (context) => {
  const { doors, network, changes } = world(context, '10.0.0.5')
  await doors.apply(lanOnly)
  const before = changes()
  network.move('10.0.0.6')
  await until('it has moved', () => doors.addressesOf().includes('10.0.0.6'))
  assert.deepEqual(doors.addressesOf(), ['10.0.0.6', '127.0.0.1'])
  assert.equal(changes(), before + 1)
})

test('an address that is taken is tried again until it is free', async (context) => {
  const { doors, refused, log } = world(context, '10.0.0.5')
  await doors.apply(loopbackOnly)
  refused.add('10.0.0.5')
  await doors.apply(lanOnly)
  assert.deepEqual([doors.addressesOf(), doors.pending], [['127.0.0.1'], ['10.0.0.5 is taken']])
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.equal(log.having('not listening everywhere yet').length, 1)
  refused.clear()
  await until('it is open', () => doors.addressesOf().includes('10.0.0.5'))
})

test('an address that is taken at the start is an error, though others are free', async (context) => {
  const { doors, refused } = world(context, '10.0.0.5')
  refused.add('127.0.0.1')
  await assert.rejects(doors.apply(lanOnly), { code: 'ADDRESS_IN_USE', message: /127\.0\.0\.1/ })
})

test('no door at all is an error with the reason of the first', async (context) => {
  const { doors, refused } = world(context)
  refused.add('127.0.0.1')
  await assert.rejects(doors.apply(loopbackOnly), { code: 'ADDRESS_IN_USE' })
})

test('each listener is moved by its own bind; what several of them miss is said once', async (context) => {
  const { doors, calls, network, log } = world(context)
  const socket = listenerAt(0, { name: 'near', where: { kind: 'unix', path: '/run/near.sock', mode: 0o660 } })
  await doors.apply([
    ...loopbackOnly,
    listenerOn([{ kind: 'lan' }], 'a', 1884),
    listenerOn([{ kind: 'lan' }], 'b', 1885),
    socket,
  ])
  assert.deepEqual(doors.pending, ['there is no LAN address yet'])
  assert.equal(log.having('not listening everywhere yet').length, 1)
  network.move('10.0.0.5')
  await until('they have moved', () => doors.addressesOf('b').includes('10.0.0.5'))
  assert.deepEqual(calls, [
    'main 127.0.0.1; a 127.0.0.1; b 127.0.0.1; near /run/near.sock',
    'main 127.0.0.1; a 10.0.0.5,127.0.0.1; b 10.0.0.5,127.0.0.1; near /run/near.sock',
  ])
  assert.deepEqual(doors.addressesOf('near'), ['/run/near.sock'])
})

test('disposed, it follows no more', async (context) => {
  const { doors, network, calls } = world(context)
  await doors.apply(lanOnly)
  await doors[Symbol.asyncDispose]()
  network.move('10.0.0.5')
  await new Promise((resolve) => setTimeout(resolve, 50))
  assert.equal(calls.length, 1)
})
