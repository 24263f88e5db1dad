import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { readSafePins } from '#src/config/read-safe-pins.js'
import { readSafeScalars } from '#src/config/read-safe-scalars.js'
import { brief, folderOf } from '../support/config-world.js'

async function safe(text: string | undefined, env = '') {
  await using folder = await folderOf({
    '.env': env,
    ...(text === undefined ? {} : { 'config/damselfly.yaml': text }),
  })
  const cwd = folder.path
  const { problems, scalars } = await readSafeScalars({ cwd, environment: {}, isTerminal: false })
  const yaml = await readSafePins({ cwd, configDir: scalars.configDir })
  const all = [...problems, ...yaml.problems]
  return { pins: yaml.pins.map(({ name }) => name), problems: all.map(brief), scalars }
}

const pins = 'pins:\n  lamp: { gpio: 17, out: true }\n  pump: { gpio: 27, out: true, on_stop: on }\n'

test('mistakes in rules, plugins and actions do not keep the pins from safety', async () => {
  const read = await safe(`${pins}rules:\n  - { evry: 5, do: { banana: "\${" } }\nplugins: 7\n`)
  assert.deepEqual(read.pins, ['lamp', 'pump'])
  assert.deepEqual(read.problems, [])
})

test('a pin with a mistake is left out and told, the others are kept', async () => {
  const read = await safe(pins.replace('17', 'x: 1'))
  assert.deepEqual(read.pins, ['pump'])
  assert.equal(read.problems.length, 1)
})

test('a line that is not YAML takes its own pin away, not the others', async () => {
  assert.deepEqual((await safe(`${pins}rules:\n  - on: [a\n`)).pins, ['lamp', 'pump'])
  assert.deepEqual(
    (await safe(pins.replace('out: true }\n  pump', 'out: true, active: @low }\n  pump'))).pins,
    ['pump'],
  )
  assert.deepEqual((await safe(pins.replace('out: true }', 'out: true'))).pins, [])
  assert.deepEqual((await safe(`${pins}\t x: 1\n`)).pins, ['lamp'])
})

test('wrong variables have their defaults', async () => {
  const read = await safe(pins, 'PORT=x\nGPIO_CHIP=simulated\nMQTT_USERNAME=pi')
  assert.deepEqual(read.pins, ['lamp', 'pump'])
  assert.equal(read.scalars.gpioChip, 'simulated')
  assert.equal(read.scalars.port, 1_883)
  assert.equal(read.problems.length, 2)
})

test('a configuration that is not there is told, not thrown', async () => {
  const read = await safe(undefined)
  assert.deepEqual(read.pins, [])
  assert.match(read.problems[0] ?? '', /there is no such file/)
})

test('the variables come without the YAML parser, the pins without zod, croner and the expressions', async () => {
  const read = await packagesOf('#src/config/read-safe-scalars.js')
  assert.deepEqual(read, ['dotenv', 'fastest-levenshtein'])
  assert.deepEqual(await packagesOf('#src/config/damselfly-yaml.js'), ['fastest-levenshtein', 'yaml'])
})

/** The packages that a file imports, and what it imports, and so on. */
async function packagesOf(file: string): Promise<string[]> {
  const seen = new Set<string>()
  const pending = [import.meta.resolve(file)]
  for (let url = pending.pop(); url !== undefined; url = pending.pop()) {
    if (seen.has(url)) continue
    seen.add(url)
    if (!url.startsWith('file:')) continue
    const text = await readFile(new URL(url), 'utf8')
    for (const [, name] of text.matchAll(/^(?:import|export) .*from '([^']+)'/gm))
      pending.push(name?.startsWith('.') ? new URL(name, url).href : (name as string))
  }
  return [...seen].filter((url) => !url.startsWith('file:') && !url.startsWith('node:')).sort()
}
