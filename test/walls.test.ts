import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { test } from 'node:test'
import { root } from './support/daemon.js'

/** Every room but the commands: the composition root serves them, and not the other way round. */
const house = [
  'core',
  'config',
  'broker',
  'rules',
  'actions',
  'gpio',
  'sensors',
  'homeassistant',
  'certificates',
  'system',
  'client',
  'control',
  'http',
  'moving',
  'daemon',
  'daemon.ts',
]

/** Which rooms a room may import, besides itself; `docs/architecture.md` tells why. */
const doors: Readonly<Record<string, readonly string[] | 'any'>> = {
  core: [],
  config: ['core'],
  broker: ['core'],
  rules: ['core'],
  actions: ['core'],
  gpio: ['core'],
  sensors: ['core'],
  homeassistant: ['core'],
  certificates: ['core'],
  system: ['core'],
  client: ['core'],
  control: ['core'],
  http: ['core'],
  moving: ['core'],
  cli: 'any',
  'index.ts': ['core', 'client'],
  'main.ts': 'any',
  'daemon.ts': house,
  daemon: house,
}

const source = join(root, 'src')
const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
)
const room = (file: string) => file.split('/')[0] as string
/** Whether a file lies in a folder of a room, such as `broker/wire`: its room knows it, and it does not know its room. */
const isInner = (file: string) => file.split('/').length > 2

for (const file of files) {
  const allowed = doors[room(file)]
  const text = readFileSync(join(source, file), 'utf8')
  const imports = [...text.matchAll(/(?:from|import|import\()\s*'([^']+)'/g)].map(
    ([, specifier]) => specifier as string,
  )
  const own = imports.filter((specifier) => /^[.#]|^damselfly/.test(specifier))
  if (own.length === 0 && allowed !== undefined) continue
  test(`${file} goes through the doors that its room has`, () => {
    assert.notEqual(
      allowed,
      undefined,
      `${room(file)} is no room of this house: add it to docs/architecture.md and here`,
    )
    for (const specifier of own) {
      assert.match(
        specifier,
        /^\.\.?\/.*\.ts$/,
        `${specifier}: rooms are entered by a relative path with its ending`,
      )
      const path = relative(source, resolve(source, dirname(file), specifier))
      const target = room(path)
      const isOpen = allowed === 'any' || target === room(file) || allowed?.includes(target)
      assert.ok(isOpen, `${file} imports ${specifier}`)
      if (!isInner(file)) continue
      const isClosed = dirname(path) === dirname(file) || target === 'core'
      assert.ok(isClosed, `${file} imports ${specifier}: a folder in a room knows itself and the core alone`)
    }
  })
}

test('only the configuration reads the environment', () => {
  const readers = files.filter((file) => /process\.env\b/.test(readFileSync(join(source, file), 'utf8')))
  assert.deepEqual(readers.filter((file) => room(file) !== 'config').sort(), [
    'cli/start.ts', // what systemd puts there, handed on
    'core/broker-socket.ts', // what Node itself reads there, and forgets
    'daemon/plain-streams.ts', // how a package wants to be told
  ])
})

test('the core knows no package but the one that schemas are made of, and one that measures words', () => {
  const packages = files
    .filter((file) => room(file) === 'core')
    .flatMap((file) =>
      [...readFileSync(join(source, file), 'utf8').matchAll(/from '([^.'][^']*)'/g)].map(
        ([, name]) => name as string,
      ),
    )
    .filter((name) => !name.startsWith('node:'))
  assert.deepEqual([...new Set(packages)].sort(), ['fastest-levenshtein', 'zod'])
})
