import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Counters } from '#src/core/counters.js'
import { PinBoard } from '#src/gpio/board.js'
import { KeptLog, output, temporaryFolder } from '../support/gpio-kit.js'

// A chip that works needs a kernel that has one: test/machine/pins.
for (const { choice, looks } of [
  { choice: 'auto', looks: true },
  { choice: 'simulated', looks: false },
])
  test(`with GPIO_CHIP=${choice} a chip that comes later is ${looks ? '' : 'not '}looked at, and one that cannot be opened leaves the pins simulated`, async (t) => {
    const deviceDir = await temporaryFolder(t)
    const log = new KeptLog()
    const options = { choice, deviceDir, dataDir: deviceDir, log, counters: new Counters(), chipEveryMs: 10 }
    await using board = new PinBoard(options)
    await board.start([output('lamp', 17)])
    assert.equal(board.isSimulated, true)
    await sleep(50)
    assert.deepEqual(log.of('error'), [])

    board.set('lamp', 'on')
    await writeFile(join(deviceDir, 'gpiochip0'), '')
    for (const endMs = Date.now() + (looks ? 5_000 : 100); Date.now() < endMs; await sleep(10))
      if (log.of('error').length > 0) break
    await sleep(100)
    const errors = log.of('error').map(({ message, reason }) => `${message}: ${reason}`)
    if (looks) {
      assert.equal(errors.length, 1)
      assert.match(errors.join(), /^pins are still simulated: .*gpiochip0 is not a GPIO chip/)
    } else assert.deepEqual(errors, [])
    assert.deepEqual([board.isSimulated, board.state('lamp')], [true, 'on'])
  })
