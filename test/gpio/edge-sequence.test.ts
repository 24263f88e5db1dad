import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EdgeSequence } from '#src/gpio/edge-sequence.js'

// each edge as `NUMBER LEVEL`, and what is made of it: `lost/rises`
const cases: readonly [title: string, edges: string, expected: string][] = [
  ['edges without a gap are counted one by one', '1 on, 2 off, 3 on, 4 off', '0/1 0/0 0/1 0/0'],
  ['a line that was on at first has not risen yet', '1 off, 2 on', '0/0 0/1'],
  ['an even number of lost edges hides half as many pulses', '1 off, 4 on', '0/0 2/2'],
  ['… and as many after an on', '1 on, 4 off', '0/1 2/1'],
  ['an odd number leads back to the same level', '1 off, 3 off', '0/0 1/1'],
  ['… also to on, which is a pulse of its own', '1 on, 3 on', '0/1 1/1'],
  ['lost edges before the first one count, too', '4 on', '3/2'],
  ['… whatever the first level was', '4 off', '3/2'],
  [
    'the same level again without a gap is a glitch, and no pulse',
    '1 on, 2 on, 3 off, 4 off',
    '0/1 0/0 0/0 0/0',
  ],
  ['two levels that cannot follow each other lose no pulse', '1 off, 3 on, 4 off, 5 on', '0/0 1/1 0/0 0/1'],
  ['the number begins again after 32 bits', '4294967295 on, 1 on', '0/1 1/1'],
  ['a number that does not go on loses nothing', '0 on, 0 off, 0 on', '0/1 0/0 0/1'],
]
for (const [title, edges, expected] of cases)
  test(title, () => {
    const sequence = new EdgeSequence()
    const found = edges.split(', ').map((edge) => {
      const [seqno = '', level] = edge.split(' ')
      const { lostEdges, rises, atMs } = sequence.take({
        seqno: Number(seqno),
        value: level === 'on',
        atMs: 5,
      })
      assert.equal(atMs, 5)
      return `${lostEdges}/${rises}`
    })
    assert.equal(found.join(' '), expected)
  })
