import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProblemList } from '#src/config/problem-list.js'
import { SourceText } from '#src/config/source-text.js'
import { topKeys } from '#src/config/vocabulary/top.js'
import { parseYaml } from '#src/config/yaml-file.js'
import { offsetInScalar, type TreeScalar, toPlain } from '#src/config/yaml-tree.js'
import { brief, problemsOf, settingsOf } from '../support/config-world.js'

function read(text: string) {
  const source = new SourceText('x.yaml', text)
  const problems = new ProblemList()
  const { tree } = parseYaml(source, problems)
  return { tree, problems: problems.sorted().map(brief), source }
}

test('YAML 1.2 leaves on, off, yes and 07:30 texts', () => {
  const { tree } = read('a: on\nb: off\nc: yes\nd: 07:30\ne: true\nf: 1.5\ng:\n')
  assert.deepEqual(tree && toPlain(tree), {
    a: 'on',
    b: 'off',
    c: 'yes',
    d: '07:30',
    e: true,
    f: 1.5,
    g: null,
  })
})

const mistakes: readonly [title: string, text: string, problems: readonly RegExp[]][] = [
  ['a duplicate key', 'a: 1\nb: 2\na: 3', [/^3:1 "a" is there twice; the first is on line 1/]],
  [
    'a template without quotes',
    'a: { b: ${payload} }',
    [/^1:\d+ a text with \$\{…\} needs quotes inside \{ \} and \[ \]/],
  ],
  ['a tab', 'a:\n\tb: 1', [/^2:1 a tab cannot indent YAML/]],
  ['a key out of line', 'a: 1\n  b: 2\n', [/^1:4 .*/]],
  ['a line that does not fit', ' a: 1\nb: 2\nc: 3', [/^2:1 this line does not fit what stands above it/]],
  ['two colons on a line', 'a: b: c', [/^1:4 a second ": " on this line/]],
  ['an alias without an anchor', 'a: *x\nb: */y', [/^1:4 no anchor &x stands before/, /^2:4 no anchor/]],
  ['an alias to what is around it', 'a: &x [*x]', [/^1:8 no anchor &x/]],
  ['an unknown tag', 'a: !secret x', [/^1:4 tags such as !this are not known here/]],
  ['a reserved character', 'a: @x\nb: `y`', [/^1:4 a value cannot begin/, /^2:4 a value cannot begin/]],
  ['an unknown escape', 'a: "\\q"', [/^1:5 in double quotes a backslash/]],
  ['a quote that is not closed', 'a: "x', [/missing closing "quote/]],
  ['a list that is not closed', 'a: [1, 2\nb: 1\n', [/^2:1 the indentation does not fit/]],
  ['a second document', 'a: 1\n---\nb: 1', [/^2:1 a second document begins here/]],
  ['a map as a key', '? { a: 1 }\n: 2', [/^1:3 a key must be a plain text/]],
]
for (const [title, text, expected] of mistakes)
  test(`${title} is told with line and column`, () => {
    const { problems } = read(text)
    assert.equal(problems.length, expected.length, problems.join('\n'))
    for (const [index, pattern] of expected.entries()) assert.match(problems[index] as string, pattern)
  })

test('several syntax mistakes are told in one reading', () => {
  const { problems } = read('a: @x\nb: "\\q"\nc: 1\nc: 2\nd: !e f\ng: *h\n')
  assert.deepEqual(
    problems.map((problem) => problem.split(' ')[0]),
    ['1:4', '2:5', '4:1', '5:4', '6:4'],
  )
})

test('aliases give their anchor’s value', () => {
  const { tree, problems } = read('a: &x { b: 1 }\nc: [*x, *x]')
  assert.deepEqual(problems, [])
  assert.deepEqual(tree && toPlain(tree), { a: { b: 1 }, c: [{ b: 1 }, { b: 1 }] })
})

test('a billion laughs are told as one mistake', () => {
  const lines = ['a0: &a0 [x,x,x,x,x,x,x,x,x]']
  for (let level = 1; level < 20; level++)
    lines.push(`a${level}: &a${level} [${`*a${level - 1},`.repeat(9)}]`)
  const { problems } = read(lines.join('\n'))
  assert.equal(problems.length, 1)
  assert.match(problems[0] as string, /too large, or too deep, with its aliases filled in/)
})

test('50,000 values are read and one more is refused', () => {
  const list = (length: number) => read(`[${'1,'.repeat(length - 1)}1]`).problems.length // and the list itself
  assert.equal(list(49_999), 0)
  assert.equal(list(50_000), 1)
})

for (const [title, text] of [
  ['flow lists', (depth: number) => '['.repeat(depth) + ']'.repeat(depth)],
  ['block lists', (depth: number) => `${'- '.repeat(depth)}x`],
  ['flow maps', (depth: number) => `${'{a: '.repeat(depth)}1${'}'.repeat(depth)}`],
] as const)
  test(`${title} may be 64 deep, not 65, and 100,000 harm nothing`, () => {
    assert.deepEqual(read(text(64)).problems, [])
    assert.equal(read(text(65)).problems.length, 1)
    assert.match(read(text(100_000)).problems.join(), /too deep/)
  })

test('a chain of aliases cannot nest deeper than the limit', () => {
  const lines = ['a0: &a0 [x]']
  for (let level = 1; level < 500; level++) lines.push(`a${level}: &a${level} [*a${level - 1}]`)
  assert.equal(read(lines.join('\n')).problems.length, 1)
})

test('a key __proto__ is a key and sets no prototype', () => {
  const { tree } = read('a: { __proto__: { polluted: 1 } }')
  const plain = tree && (toPlain(tree) as { a: Record<string, unknown> })
  assert.deepEqual(Object.keys(plain?.a ?? {}), ['__proto__'])
  assert.equal(plain?.a['polluted'], undefined)
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined)
})

test('an empty file, and one of comments, is a broker without rules', async () => {
  for (const yaml of ['', '# nothing\n', '---\n', 'pins:\nrules:\nplugins:\n', '\ufeff'])
    assert.deepEqual((await settingsOf({ yaml })).settings.rules, [], JSON.stringify(yaml))
})

test('a file that is not there says where it was looked for and what to do', async () => {
  const [problem, ...others] = await problemsOf({})
  assert.equal(others.length, 0)
  assert.equal(problem?.place.file, 'config/damselfly.yaml')
  assert.match(problem?.suggestion ?? '', /damselfly init.*CONFIG_DIR/)
})

test('a file of 256 KiB is read, a larger one and one that is not UTF-8 are refused', async () => {
  assert.deepEqual(await problemsOf({ yaml: '#'.repeat(256 * 1024) }), [])
  assert.match((await problemsOf({ yaml: '#'.repeat(256 * 1024 + 1) }))[0]?.message ?? '', /too large/)
  const [problem] = await problemsOf({ yaml: Buffer.from('pins:\n# gr\xfc\xdf\n', 'latin1') })
  assert.deepEqual(problem?.place, { file: 'config/damselfly.yaml', line: 2, column: 1 })
})

test('a file that is no map, and unknown keys in it, are told', async () => {
  assert.match((await problemsOf({ yaml: '- on: a' }))[0]?.message ?? '', /this file is not a map/)
  const [problem] = await problemsOf({ yaml: 'pin:\n  a: 1' })
  assert.equal(
    problem && brief(problem),
    `1:1 this file has no key "pin" | expected one of ${Object.keys(topKeys).join(', ')} | try pins`,
  )
})

const scalars: readonly [title: string, yaml: string, what: string, place: string][] = [
  ['plain', 'a: one @two', '@two', '1:8'],
  ['plain over two lines', 'a: one\n   two @x', '@x', '2:8'],
  ['single quotes', "a: 'it''s @x'", '@x', '1:11'],
  ['double quotes', 'a: "x\\u0041\\n\\t @x"', '@x', '1:17'],
  ['an escape beyond 16 bits', 'a: "\\U0001F600 @x"', '@x', '1:16'],
  ['a folded double quote', 'a: "one \\\n   two @x"', '@x', '2:8'],
  ['a literal block', 'a: |\n  one\n\n    two @x\n', '@x', '4:9'],
  ['a folded block', 'a: >-  # why @x\n  one\n  two\n\n  three @x\n', '@x', '5:9'],
]
for (const [title, yaml, what, place] of scalars)
  test(`a character of a value in ${title} is found in the file`, () => {
    const { tree, source } = read(yaml)
    const scalar = tree?.kind === 'map' ? (tree.entries.get('a')?.value as TreeScalar) : undefined
    assert.ok(scalar)
    const { line, column } = source.place(
      offsetInScalar(source.text, scalar, String(scalar.value).indexOf(what)),
    )
    assert.equal(`${line}:${column}`, place)
  })

test('a frame shows two lines before and after, tabs as arrows, and long lines around the caret', () => {
  const source = new SourceText('x', `1\n2\n3\n4\tx\n5\n6\n7\n`)
  assert.equal(source.frame(8, 9), '  2 | 2\n  3 | 3\n> 4 | 4→x\n    |   ^\n  5 | 5\n  6 | 6')
  const long = new SourceText('x', `${'a'.repeat(500)}!${'b'.repeat(500)}`)
  const [shown, caret] = long.frame(500, 501).split('\n')
  assert.equal(shown?.indexOf('!'), caret?.indexOf('^'))
  assert.ok((shown?.length ?? 999) < 120)
})

test('only the first hundred mistakes are kept, the others counted', () => {
  const keys = (count: number) => read('a: 1\n'.repeat(count + 1)).problems
  assert.equal(keys(100).length, 100)
  assert.match(keys(101).at(-1) as string, /and 1 more mistakes/)
})
