import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Counters } from '#src/core/counters.js'
import { openChip } from '#src/gpio/open-chip.js'
import { KeptLog, temporaryFolder } from '../support/gpio-kit.js'

const isRoot = process.getuid?.() === 0
const counters = new Counters()

test('without any chip the simulator serves, and says so in one warning', async (t) => {
  const log = new KeptLog()
  const deviceDir = await temporaryFolder(t)
  await writeFile(join(deviceDir, 'gpiomem'), '') // not called gpiochipN
  const chip = await openChip({ choice: 'auto', log, counters, deviceDir })
  assert.equal(chip.isSimulated, true)
  assert.deepEqual(
    log.lines.map(({ level, message }) => [level, message]),
    [['warn', 'pins are simulated: no real line moves']],
  )
})

test('a machine without the device folder has no chip either', async (t) => {
  const deviceDir = join(await temporaryFolder(t), 'missing')
  const chip = await openChip({ choice: 'auto', log: new KeptLog(), counters, deviceDir })
  assert.equal(chip.isSimulated, true)
})

test('the simulator serves on demand, whatever devices there are', async (t) => {
  const log = new KeptLog()
  const deviceDir = await temporaryFolder(t)
  await writeFile(join(deviceDir, 'gpiochip0'), '')
  const chip = await openChip({ choice: 'simulated', log, counters, deviceDir })
  assert.equal(chip.isSimulated, true)
  assert.equal(log.of('warn').length, 1)
})

test('a device that is no chip is not replaced by the simulator: it is listed', async (t) => {
  const log = new KeptLog()
  const deviceDir = await temporaryFolder(t)
  await writeFile(join(deviceDir, 'gpiochip10'), 'text')
  await mkdir(join(deviceDir, 'gpiochip2'))
  await symlink('gpiochip10', join(deviceDir, 'gpiochip11')) // the same device under another number
  await symlink('nowhere', join(deviceDir, 'gpiochip12'))
  await assert.rejects(openChip({ choice: 'auto', log, counters, deviceDir }), {
    code: 'GPIO_NO_CHIP',
    message:
      /gpiochip2 is not a GPIO chip; [^;]*gpiochip10 is not a GPIO chip; [^;]*gpiochip12 does not exist.*GPIO_CHIP=simulated/,
  })
  assert.deepEqual(log.lines, [])
})

test('a chip named by its path must be there and be one; else those that are there are told', async (t) => {
  const deviceDir = await temporaryFolder(t)
  const path = join(deviceDir, 'gpiochip3')
  const open = (choice: string) => openChip({ choice, log: new KeptLog(), counters, deviceDir })
  await assert.rejects(open(path), {
    code: 'GPIO_NO_CHIP',
    message: /gpiochip3: does not exist; there is none here/,
  })
  await writeFile(path, '')
  await assert.rejects(open(path), {
    code: 'GPIO_NO_CHIP',
    message: /is not a GPIO chip; there is .*gpiochip3/,
  })
  await assert.rejects(open(join(path, 'x')), { code: 'GPIO_NO_CHIP', message: /cannot be opened: ENOTDIR/ })
})

// A child process takes the test's place: only another user can be denied what root may do.
test('a denied chip is an error that names the group and the command, never the simulator', {
  skip: isRoot ? false : 'needs root, to become another user',
}, async (t) => {
  const deviceDir = await temporaryFolder(t)
  await chmod(deviceDir, 0o755)
  await writeFile(join(deviceDir, 'gpiochip0'), '', { mode: 0o660 })
  const script = `
      const { openChip } = await import(process.argv[1])
      const { Counters } = await import(process.argv[2])
      const log = { info() {}, warn() {} }
      process.setgroups([]); process.setgid(65534); process.setuid(65534)
      for (const choice of ['auto', process.argv[3] + '/gpiochip0'])
        await openChip({ choice, log, counters: new Counters(), deviceDir: process.argv[3] })
          .then((chip) => console.log('opened', chip.path), ({ code, message }) => console.log(code, message))`
  const urls = ['#src/gpio/open-chip.js', '#src/core/counters.js'].map((name) => import.meta.resolve(name))
  const warm = `await (await import(${JSON.stringify(import.meta.resolve('#src/gpio/libc.js'))})).libc();`
  const args = ['--input-type=module', '-e', warm + script, ...urls, deviceDir]
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  const lines = stdout.trim().split('\n')
  assert.equal(lines.length, 2, stderr)
  for (const line of lines)
    assert.match(
      line,
      /^GPIO_DENIED may not open .*gpiochip0 \(EACCES\).* group gpio: sudo usermod -aG gpio nobody, then log in again/,
    )
})
