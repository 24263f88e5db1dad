import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, test } from 'node:test'
import { limitKeys } from '#src/config/limit-keys.js'
import { type LimitName, limitDefaults, limits, setLimits } from '#src/core/limits.js'
import { formatDuration } from '#src/core/units.js'
import { root } from '../support/daemon.js'

const source = join(root, 'src')
const code = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && file !== 'core/limits.ts' && file !== 'config/limit-keys.ts')
  .map((file) => readFileSync(join(source, file), 'utf8'))
  .join('\n')

/** The rows of docs/limits.md, by the name of the bound. */
const rows = new Map(
  readFileSync(join(root, 'docs/limits.md'), 'utf8')
    .split('\n')
    .flatMap((line) => {
      const cells = line.split('|').map((cell) => cell.trim())
      const name = /^`(\w+)`$/.exec(cells[1] ?? '')?.[1]
      const [shown = '', key = '', counted = '', atIt = ''] = cells.slice(2)
      return name === undefined ? [] : [[name, { shown, key, counted, atIt }] as const]
    }),
)

const names = Object.keys(limitDefaults) as LimitName[]

afterEach(() => setLimits({}))

for (const name of names) {
  test(`${name} is kept somewhere, and counted under its name or said not to be`, () => {
    const isKept = code.includes(`limits.${name}`)
    const isCounted = code.includes(`'${name}'`)
    assert.ok(isKept)
    assert.equal(isCounted, rows.get(name)?.counted === 'yes', `counted: ${isCounted}`)
  })

  test(`docs/limits.md tells what ${name} is, the key that sets it, and what happens at it`, () => {
    const row = rows.get(name)
    assert.equal(row?.shown, shown(name))
    const key = limitKeys.find(({ limit }) => limit === name)?.key
    assert.equal(row?.key, key === undefined ? '' : `\`${key}\``)
    assert.match(row?.counted ?? '', /^(yes|no: .+|as `.+`)$/)
    assert.ok(row?.atIt)
  })
}

test('docs/limits.md has no bound that is none', () => {
  assert.deepEqual([...rows.keys()].sort(), [...names].sort())
})

/** A bound as a person reads it. */
function shown(name: LimitName): string {
  const value = limitDefaults[name]
  if (name === 'messageRateMax') return 'none'
  if (name === 'sessionExpirySecondsMax') return 'never'
  if (name.includes('Seconds')) return `${value.toLocaleString('en')} s`
  if (name.includes('Ms')) return formatDuration(value).replace(/^(\d+)(\D+)$/, '$1 $2')
  const mebibytes = value / 2 ** 20
  if (name.includes('Bytes')) return mebibytes >= 1 ? `${mebibytes} MiB` : `${value / 1_024} KiB`
  return value.toLocaleString('en')
}

test('what is set holds for whoever reads it next, and all else is as before', () => {
  setLimits({ connectionsMax: 5 })
  assert.deepEqual({ ...limits }, { ...limitDefaults, connectionsMax: 5 })
})

test('what is set no more goes back to its default', () => {
  setLimits({ connectionsMax: 5, packetBytesMax: 1_024 })
  setLimits({ packetBytesMax: 2_048 })
  assert.deepEqual({ ...limits }, { ...limitDefaults, packetBytesMax: 2_048 })
  setLimits({})
  assert.deepEqual({ ...limits }, { ...limitDefaults })
})
