import assert from 'node:assert/strict'
import { mock, test } from 'node:test'
import { startWatchdog } from '#src/system/watchdog.js'
import { recordingLog } from '../support/system-log.ts'

/** A watchdog of 30 s with time in the test's hand. */
function watched(probe: () => Promise<void>, watchdogMs: number | undefined = 30_000) {
  mock.timers.enable({ apis: ['setInterval', 'setTimeout'] })
  const told: string[] = []
  const log = recordingLog()
  const manager = {
    isPresent: true,
    watchdogMs,
    notify: ({ kind }: { kind: string }) => void told.push(kind),
  }
  const watchdog = startWatchdog({ manager, log, probe })
  return {
    told,
    log,
    async pass(ms: number) {
      mock.timers.tick(ms)
      await new Promise(setImmediate)
    },
    end: () => watchdog[Symbol.dispose](),
    [Symbol.dispose]() {
      watchdog[Symbol.dispose]()
      mock.timers.reset()
    },
  }
}

test('each half interval the probe runs, and systemd is told when it has come back', async () => {
  let probes = 0
  using house = watched(async () => void probes++)
  await house.pass(14_999)
  assert.deepEqual(house.told, [])
  await house.pass(1)
  assert.deepEqual(house.told, ['watchdog'])
  await house.pass(15_000)
  assert.equal(probes, 2)
  assert.deepEqual(house.told, ['watchdog', 'watchdog'])
})

test('a probe that fails tells nothing and is logged once an outage', async () => {
  let isIll = true
  using house = watched(async () => {
    if (isIll) throw new Error('no answer')
  })
  await house.pass(15_000)
  await house.pass(15_000)
  assert.deepEqual(house.told, [])
  assert.deepEqual(house.log.lines, ['error: watchdog probe has not come back'])
  isIll = false
  await house.pass(15_000)
  assert.deepEqual(house.told, ['watchdog'])
  assert.equal(house.log.lines.at(-1), 'info: watchdog probe comes back again')
  isIll = true
  await house.pass(15_000)
  assert.equal(house.log.lines.length, 3)
})

test('a probe that throws at once is a probe that fails', async () => {
  using house = watched(() => {
    throw new Error('closed')
  })
  await house.pass(15_000)
  assert.deepEqual(house.log.lines, ['error: watchdog probe has not come back'])
})

test('while a probe hangs no other one starts; when it comes back after all, systemd is told', async () => {
  let probes = 0
  let answer: () => void = () => undefined
  using house = watched(() => {
    probes++
    return new Promise<void>((resolve) => {
      answer = resolve
    })
  })
  await house.pass(15_000)
  await house.pass(30_000)
  assert.equal(probes, 1)
  assert.deepEqual(house.told, [])
  assert.deepEqual(house.log.lines, ['error: watchdog probe has not come back'])
  answer()
  await house.pass(0)
  assert.deepEqual(house.told, ['watchdog'])
})

test('a probe that hangs is told well before the service manager ends the process', async () => {
  using house = watched(() => new Promise<void>(() => undefined))
  await house.pass(15_000)
  await house.pass(7_499)
  assert.deepEqual(house.log.lines, [])
  await house.pass(1)
  assert.deepEqual(house.log.lines, ['error: watchdog probe has not come back'])
})

test('after its end nothing is told, not even by the probe that is under way', async () => {
  let answer: () => void = () => undefined
  using house = watched(
    () =>
      new Promise<void>((resolve) => {
        answer = resolve
      }),
  )
  await house.pass(15_000)
  house.end()
  answer()
  await house.pass(60_000)
  assert.deepEqual(house.told, [])
  assert.deepEqual(house.log.lines, [])
})

test('a service manager without watchdog is told nothing', async () => {
  mock.timers.enable({ apis: ['setInterval'] })
  const manager = { isPresent: false, watchdogMs: undefined, notify: () => assert.fail('told') }
  using _ = startWatchdog({ manager, log: recordingLog(), probe: () => assert.fail('probed') })
  mock.timers.tick(600_000)
  mock.timers.reset()
})
