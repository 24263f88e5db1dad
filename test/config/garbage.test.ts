import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSafePins } from '#src/config/read-safe-pins.js'
import { readSettings } from '#src/config/read-settings.js'
import { ProblemsError } from '#src/core/problems.js'
import { catalogueOf, folderOf, standInCompiler, standIns } from '../support/config-world.js'

const good = `# yaml-language-server: $schema=./damselfly.schema.json
pins:
  lamp:  { gpio: 17, out: true, active: low, initial: off, on_stop: off, max_on: 10m }
  door:  { gpio: 27, in: true, pull: up, debounce: 30ms, publish: home/door }
rules:
  - name: lamp
    on: &filter home/lamp/set
    when: payload.msg == "ON"
    do:
      - { gpio: lamp, set: on, for: 30s }
  - on: [*filter, "+/x"]
    do:
      - publish: "home/\${payload.room}"
        json: { where: "\${levels}", t: [1, 2.5, null, true] }
  - { every: 5s, do: { exec: [a, b], timeout: 3s } }
  - at: 07:30
    do:
      publish: a
      text: |-
        two
        lines
plugins: [a]
`

const bits = [
  '{',
  '}',
  '[',
  ']',
  ': ',
  '- ',
  '\n',
  '  ',
  '"',
  "'",
  '&a ',
  '*a',
  '!x ',
  '#',
  '|',
  '>',
  '\t',
  '? ',
  ', ',
  '%',
  '\0',
  '${',
  '}',
  '\ud800',
  'é',
  '__proto__',
  '---\n',
  'on',
  '1e999',
  '.nan',
  '<<: ',
  '@',
]

// a small generator of its own, so that a failure can be repeated
let seed = 20_240_601
function random(below: number): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((seed / 2 ** 32) * below)
}

function mutated(text: string): string {
  let result = text
  for (let times = 1 + random(4); times > 0; times--) {
    const at = random(result.length)
    const end = at + random(random(3) === 0 ? 40 : 4)
    const bit = bits[random(bits.length)] as string
    const middle = random(3) === 0 ? result.slice(at, end) + bit : bit
    result = result.slice(0, at) + middle + result.slice(end)
  }
  return result
}

async function settle(cwd: string, what: string): Promise<'read' | 'refused'> {
  try {
    await readSettings({
      cwd,
      environment: {},
      compiler: standInCompiler,
      loadActions: async () => ({ catalogue: catalogueOf(...standIns), problems: [] }),
      isTerminal: false,
    })
    return 'read'
  } catch (error) {
    assert.ok(error instanceof ProblemsError, `${JSON.stringify(what)}\n${(error as Error).stack}`)
    for (const { place, message } of error.problems) {
      assert.ok(
        place.line >= 0 && place.column >= 0 && message !== '',
        JSON.stringify({ what, place, message }),
      )
    }
    return 'refused'
  }
}

test('the configuration that is mutated is a good one', async () => {
  await using folder = await folderOf({ 'config/damselfly.yaml': good })
  assert.equal(await settle(folder.path, good), 'read')
})

test('mutated configurations are read or refused, and nothing else', async () => {
  await using folder = await folderOf({ 'config/damselfly.yaml': good })
  const count = { read: 0, refused: 0 }
  for (let round = 0; round < 500; round++) {
    const yaml = mutated(good)
    await writeFile(join(folder.path, 'config/damselfly.yaml'), yaml)
    count[await settle(folder.path, yaml)]++
    await readSafePins({ cwd: folder.path, configDir: join(folder.path, 'config') })
  }
  assert.ok(count.read > 20 && count.refused > 200, JSON.stringify(count))
})

test('random bytes are read or refused, and nothing else', async () => {
  await using folder = await folderOf({ 'config/damselfly.yaml': '' })
  for (let round = 0; round < 300; round++) {
    const isText = round % 2 === 0
    const bytes = Buffer.from(Array.from({ length: random(200) }, () => random(isText ? 127 : 256)))
    await writeFile(join(folder.path, 'config/damselfly.yaml'), bytes)
    await writeFile(join(folder.path, '.env'), bytes)
    await settle(folder.path, bytes.toString('latin1'))
  }
})
