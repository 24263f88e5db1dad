import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'dotenv'
import { parseDotenv } from '#src/config/dotenv-file.js'
import { ProblemList } from '#src/config/problem-list.js'
import { SourceText } from '#src/config/source-text.js'
import { brief } from '../support/config-world.js'

function read(text: string) {
  const source = new SourceText('.env', text)
  const warnings = new ProblemList()
  const entries = parseDotenv(source, warnings)
  const at = (offset: number) => `${source.place(offset).line}:${source.place(offset).column}`
  return {
    entries: [...entries].map(([key, { value, keyStart, start }]) => [key, value, at(keyStart), at(start)]),
    warnings: warnings.sorted().map(brief),
  }
}

const places: readonly [title: string, text: string, entries: readonly string[][]][] = [
  ['a plain line', 'A=1', [['A', '1', '1:1', '1:3']]],
  ['spaces and export', '\n  export  A = 1 # one', [['A', '1', '2:11', '2:15']]],
  [
    'the last of two',
    'A=1\nB=2\nA=3',
    [
      ['A', '3', '3:1', '3:3'],
      ['B', '2', '2:1', '2:3'],
    ],
  ],
  ['a commented line', '#A=1\n# B=2\nA=3', [['A', '3', '3:1', '3:3']]],
  ['single quotes', "A='x # y' # z", [['A', 'x # y', '1:1', '1:3']]],
  [
    'a value of several lines',
    'A="x\nB=2\ny"\nC=3',
    [
      ['A', 'x\nB=2\ny', '1:1', '1:3'],
      ['C', '3', '4:1', '4:3'],
    ],
  ],
  [
    'a quote that is not closed',
    'A="x\nB=2',
    [
      ['A', '"x', '1:1', '1:3'],
      ['B', '2', '2:1', '2:3'],
    ],
  ],
  [
    'an escaped quote',
    'A="x\\"\nB=2"\nC=1',
    [
      ['A', 'x\\"\nB=2', '1:1', '1:3'],
      ['C', '1', '3:1', '3:3'],
    ],
  ],
  [
    'an empty value',
    'A=\nB=2',
    [
      ['A', '', '1:1', '1:3'],
      ['B', '2', '2:1', '2:3'],
    ],
  ],
  [
    'CRLF',
    'A=1\r\nB=2\r\n',
    [
      ['A', '1', '1:1', '1:3'],
      ['B', '2', '2:1', '2:3'],
    ],
  ],
  ['a colon instead of =', 'A: 1', [['A', '1', '1:1', '1:4']]],
]
for (const [title, text, entries] of places)
  test(`the place of a value is found with ${title}`, () => {
    assert.deepEqual(read(text).entries, entries)
  })

test('a key __proto__ is harmless', () => {
  assert.deepEqual(read('__proto__=1\nA=2').entries, [['A', '2', '2:1', '2:3']])
})

test('a line that dotenv ignores is told without its content, which may be a password', () => {
  const { warnings } = read('A=1\n  MQTT_PASSWORD hunter2\n# fine\n\n=3')
  assert.deepEqual(warnings, [
    '2:3 this line is ignored: it is not of the form KEY=value | expected KEY=value, or # before a comment',
    '5:1 this line is ignored: it is not of the form KEY=value | expected KEY=value, or # before a comment',
  ])
})

test('a # that cuts a value off is told, one after a space or in quotes is not', () => {
  const cut = (text: string) => read(text).warnings.length
  assert.equal(cut('A=ab#cd'), 1)
  assert.equal(cut('A=#cd'), 1)
  assert.equal(cut('A=ab #cd'), 0)
  assert.equal(cut("A='ab#cd'"), 0)
  assert.equal(cut("A='ab'#cd"), 0)
})

test('a quote that does not end is told, for dotenv makes it part of the value', () => {
  assert.match(read("A='it").warnings.join(), /^1:3 the quote before A's value does not end it/)
  assert.match(read(`A="x" y`).warnings.join(), /part of the value/)
  assert.deepEqual(read(`A="x"\nB=it's`).warnings, [])
})

test('every key that dotenv finds in garbage has a place', () => {
  const bits = ['A', '=', '\n', '"', "'", '`', '#', ' ', ':', 'export ', '\\', 'B=1', '\t', '\r']
  let seed = 7
  for (let round = 0; round < 3_000; round++) {
    let text = ''
    for (let length = 0; length < 14; length++) {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      text += bits[(seed >> 8) % bits.length]
    }
    const source = new SourceText('.env', text)
    const entries = parseDotenv(source, new ProblemList())
    assert.deepEqual([...entries.keys()].sort(), Object.keys(parse(source.text)).sort(), JSON.stringify(text))
    for (const [key, { value, start, end }] of entries) {
      const raw = source.text.slice(start, end)
      const bare = raw.replace(/^(['"`])([\s\S]*)\1$/, '$2')
      assert.ok(
        value === raw || value === bare || raw.startsWith('"'),
        JSON.stringify({ text, key, value, raw }),
      )
    }
  }
})
