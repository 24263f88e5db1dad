import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { ActionLibrary } from '#src/actions/catalogue.js'
import { formatPlace, type Problem } from '#src/core/problems.js'
import { schemaTools } from '#src/core/schema.js'
import { complaints, makeWorld } from '../support/actions-world.js'

const builtIn = ['gpio', 'publish', 'log', 'exec', 'http', 'store']

/** A configuration folder with these files. */
async function makeFolder(files: Record<string, string> = {}) {
  const configDir = await mkdtemp(join(tmpdir(), 'damselfly-config-'))
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(configDir, name)), { recursive: true })
    await writeFile(join(configDir, name), content)
  }
  return {
    configDir,
    at: (name: string) => join(configDir, name),
    load: (...plugins: string[]) =>
      new ActionLibrary().load({
        configDir,
        loadTimeoutMs: 300,
        plugins: plugins.map((name, index) => ({
          name,
          place: { file: join(configDir, 'damselfly.yaml'), line: index + 2, column: 5 },
        })),
      }),
    [Symbol.asyncDispose]: () => rm(configDir, { recursive: true, force: true }),
  }
}

function action(name: string, rest = ''): string {
  return `export default { name: '${name}', options: (z) => z.object({ ${name}: z.string() }), run() {}, ${rest} }\n`
}

/** The examples in the documentation, word for word. */
const documented = readFileSync(new URL('../../../docs/actions.md', import.meta.url), 'utf8')
const [buzz = '', note = ''] = [...documented.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code ?? '')

test('without a folder of actions the built-in ones are there', async () => {
  await using folder = await makeFolder()
  const { catalogue, problems } = await folder.load()
  assert.deepEqual(catalogue.names(), builtIn)
  assert.deepEqual(problems, [])
  assert.equal(catalogue.get('constructor'), undefined)
  for (const name of builtIn) {
    const schema = catalogue.get(name)?.options(schemaTools())
    assert.ok(schema !== undefined && 'shape' in schema && Object.hasOwn(schema.shape as object, name), name)
  }
})

test('an action in the folder works without an import or a build', async () => {
  await using folder = await makeFolder({ 'actions/buzz.js': buzz })
  await using world = await makeWorld()
  const { catalogue, problems } = await folder.load()
  assert.deepEqual(problems, [])
  const action = catalogue.get('buzz')
  assert.ok(action !== undefined)
  await world.run(action, { buzz: 'bell' })
  await world.run(action, { buzz: 'bell', for: '1s' })
  const [first, second] = world.commands
  assert.deepEqual(first?.slice(0, 3), ['pulse', 'bell', 200])
  assert.deepEqual(second?.slice(0, 3), ['pulse', 'bell', 1_000])
  assert.ok(first?.[3] instanceof AbortSignal)
  assert.match(complaints(action, { buzz: 'bell', for: 'a while' }).join(), /not a duration/)
})

test('an action may own something from its start to its stop', async () => {
  await using folder = await makeFolder({ 'actions/note.js': note })
  await using world = await makeWorld()
  const { catalogue, problems } = await folder.load()
  assert.deepEqual(problems, [])
  const action = catalogue.get('note')
  assert.ok(action !== undefined)
  await world.run(action, { note: 'hello' })
  await world.host.close()
  assert.equal(await readFile(join(world.dataDir, 'notes.txt'), 'utf8'), '2024-05-06T07:08:09.010Z hello\n')
})

test('the options of each built-in action can be told as JSON Schema, for editors', async () => {
  await using folder = await makeFolder()
  const { catalogue } = await folder.load()
  const z = schemaTools()
  for (const name of builtIn) {
    const action = catalogue.get(name)
    assert.ok(action !== undefined)
    const { properties, additionalProperties } = z.toJSONSchema(action.options(z), { io: 'input' })
    assert.ok(Object.hasOwn(properties ?? {}, name), name)
    assert.equal(additionalProperties, false)
  }
})

test('a file may hold several actions, in either kind of module', async () => {
  const two = `export default [{ name: 'a', options: (z) => z.object({ a: z.string() }), run() {} },
    { name: 'b', options: (z) => z.object({ b: z.string() }), run() {} }]`
  const common = `module.exports = { name: 'c', options: (z) => z.object({ c: z.string() }), run() {} }`
  await using folder = await makeFolder({
    'actions/two.mjs': two,
    'actions/common.js': common,
    'actions/README.md': 'not an action',
    'actions/.hidden.js': 'not an action',
    'actions/lib/helper.js': 'export const help = 1',
  })
  const { catalogue, problems } = await folder.load()
  assert.deepEqual(problems, [])
  assert.deepEqual(catalogue.names(), [...builtIn, 'c', 'a', 'b'])
})

const bad: readonly [what: string, source: string, at: string, message: RegExp][] = [
  ['exports nothing', 'const a = 1', '1:1', /^no action is exported by default$/],
  ['exports by name only', 'export const buzz = {}', '1:1', /^no action is exported by default$/],
  ['exports a function', 'export default () => {}', '1:1', /^what is exported by default is not an action$/],
  ['exports null', 'export default null', '1:1', /not an action/],
  ['has no name', 'export default { run() {} }', '1:1', /^the action has no name$/],
  ['has a name with a space', 'export default { name: "a b", run() {} }', '1:1', /no valid name/],
  ['has a number for a name', 'export default { name: 5, run() {} }', '1:1', /no valid name/],
  ['has a name like __proto__', 'export default { name: "__proto__" }', '1:1', /no valid name/],
  ['is named timeout', action('timeout'), '1:1', /no action can be named "timeout"/],
  [
    'has no run',
    'export default { name: "a", options: (z) => z.object({ a: z.string() }) }',
    '1:1',
    /has no run$/,
  ],
  ['has no options', 'export default { name: "a", run() {} }', '1:1', /^the action "a" has no options$/],
  [
    'has options that are none',
    'export default { name: "a", run() {}, options: {} }',
    '1:1',
    /not a function/,
  ],
  ['has a stop that is none', action('a', 'stop: 5'), '1:1', /^stop of the action "a" is not a function$/],
  ['has a time that is none', action('a', 'timeoutMs: "5s"'), '1:1', /^timeoutMs of the action "a"/],
  [
    'has options that throw',
    'export default { name: "a", run() {}, options: (z) => z.nix() }',
    '1:1',
    /z\.nix/,
  ],
  [
    'has options that are no schema',
    'export default { name: "a", run() {}, options: () => ({}) }',
    '1:1',
    /return/,
  ],
  [
    'has options without its own name',
    'export default { name: "a", run() {}, options: (z) => z.object({ b: z.string() }) }',
    '1:1',
    /have no key "a"/,
  ],
  [
    'throws',
    'const a = 1\n\n  null.x\nexport default {}',
    '3:8',
    /^loading failed: Cannot read properties of null/,
  ],
  ['throws no error', 'throw 5', '1:1', /^loading failed: 5$/],
  [
    'is not JavaScript',
    'export default {\n  name: "a",\n  run() { foo bar },\n}',
    '3:15',
    /identifier 'bar'$/,
  ],
  ['imports what is not there', 'import "no-such-package"', '1:1', /an import fails: Cannot find package/],
  [
    'imports a name that is not there',
    '\nimport { nix } from "node:fs"',
    '2:10',
    /does not provide an export/,
  ],
  [
    'waits for ever',
    'await new Promise((r) => setInterval(r, 2 ** 30).unref())',
    '1:1',
    /loading does not end/,
  ],
]

for (const [what, source, at, message] of bad) {
  test(`a file that ${what} gives one problem, and the others serve`, async () => {
    await using folder = await makeFolder({ 'actions/bad.mjs': source, 'actions/good.js': action('good') })
    const { catalogue, problems } = await folder.load()
    assert.equal(problems.length, 1)
    const [problem] = problems as [Problem]
    assert.equal(formatPlace(problem.place), `${folder.at('actions/bad.mjs')}:${at}`)
    assert.match(problem.message, message)
    assert.deepEqual(catalogue.names(), [...builtIn, 'good'])
  })
}

test('options may be piped, refined or one of several forms', async () => {
  const forms = `export default [
    { name: 'a', run() {}, options: (z) => z.object({ a: z.string() }).transform((o) => o.a) },
    { name: 'b', run() {}, options: (z) => z.object({ b: z.string() }).refine(() => true) },
    { name: 'c', run() {}, options: (z) => z.union([z.object({ c: z.string() }), z.object({ c: z.number(), d: z.string() })]) },
    { name: 'e', run() {}, options: (z) => z.union([z.object({ e: z.string() }), z.string()]) },
  ]`
  await using folder = await makeFolder({ 'actions/forms.js': forms })
  const { catalogue, problems } = await folder.load()
  assert.deepEqual(catalogue.names(), [...builtIn, 'a', 'b', 'c'])
  assert.deepEqual(
    problems.map(({ message }) => message),
    ['the options of the action "e" have no key "e", which holds the value in the rule'],
  )
})

test('a name that is taken already is refused, and the problem says by whom', async () => {
  await using folder = await makeFolder({
    'actions/a.js': action('buzz'),
    'actions/b.js': action('buzz'),
    'actions/c.js': action('exec'),
  })
  const { problems } = await folder.load()
  assert.deepEqual(
    problems.map(({ place, message }) => [place.file, message]),
    [
      [
        folder.at('actions/b.js'),
        `an action named "buzz" is there already, from ${folder.at('actions/a.js')}`,
      ],
      [folder.at('actions/c.js'), 'an action named "exec" is built in and cannot be replaced'],
    ],
  )
})

test('a module file among CommonJS gets the advice to be renamed', async () => {
  await using folder = await makeFolder({
    'package.json': '{"type":"commonjs"}',
    'actions/a.js': action('a'),
  })
  const { problems } = await folder.load()
  assert.match(problems[0]?.suggestion ?? '', /\.mjs/)
  assert.equal(formatPlace(problems[0]?.place as never), `${folder.at('actions/a.js')}:1:1`)
})

test('a folder of actions that cannot be read is a problem', async () => {
  await using folder = await makeFolder({ actions: 'a file' })
  const { catalogue, problems } = await folder.load()
  assert.match(problems[0]?.message ?? '', /cannot be read/)
  assert.deepEqual(catalogue.names(), builtIn)
})

test('plugins resolve from the configuration folder, whatever they export', async () => {
  await using folder = await makeFolder({
    'node_modules/plain/package.json': '{"name":"plain","main":"main.js","type":"module"}',
    'node_modules/plain/main.js': action('plain'),
    'node_modules/@me/modern/package.json':
      '{"name":"@me/modern","exports":{".":{"import":"./lib/index.js"}},"type":"module"}',
    'node_modules/@me/modern/lib/index.js': action('modern'),
    'node_modules/old/index.js':
      'module.exports = [{ name: "old", options: (z) => z.object({ old: z.any() }), run() {} }]',
    'actions/own.js': action('own'),
  })
  const { catalogue, problems } = await folder.load('plain', '@me/modern', 'old')
  assert.deepEqual(problems, [])
  assert.deepEqual(catalogue.names(), [...builtIn, 'own', 'plain', 'modern', 'old'])
})

test('a plugin that is not there says what to install and where; one that is no good says why', async () => {
  await using folder = await makeFolder({
    'node_modules/empty/index.js': 'exports.nothing = 1',
    'node_modules/same/index.js':
      'module.exports = { name: "log", options: (z) => z.object({ log: z.any() }), run() {} }',
    'node_modules/throws/index.js': 'throw new Error("out of order")',
  })
  const { catalogue, problems } = await folder.load('absent', 'empty', 'same', 'throws')
  assert.deepEqual(catalogue.names(), builtIn)
  assert.equal(problems[0]?.suggestion, `cd ${folder.configDir} && npm install absent`)
  assert.deepEqual(
    problems.map(({ place, message }) => [
      place.file === folder.at('damselfly.yaml') ? place.line : 0,
      message,
    ]),
    [
      [2, 'the plugin "absent" is not installed'],
      [3, 'plugin "empty": the action has no name'],
      [4, 'an action named "log" is built in and cannot be replaced'],
      [0, 'plugin "throws": loading failed: out of order'],
    ],
  )
})
