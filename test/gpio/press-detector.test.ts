import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Press } from '#src/core/pin.js'
import { PressDetector } from '#src/gpio/press-detector.js'

const all: Press = { topics: {}, longMs: 500, doubleMs: 300 }
const noDouble: Press = { topics: {}, longMs: 500 }
const noLong: Press = { topics: {}, doubleMs: 300 }
const onlyShort: Press = { topics: {} }

/**
 * Plays a story: `100 on`, `200 off` are edges at their times, `700 look` is a look at the clock, `lost` an interruption.
 * A look that is due before the next word is taken, as the timer would, unless the process is busy.
 */
function play(press: Press, story: string, { isBusy = false } = {}): string {
  const detector = new PressDetector(press)
  const told: string[] = []
  const tell = (atMs: number | string, kind: string | undefined): void => {
    if (kind !== undefined) told.push(`${atMs} ${kind}`)
  }
  for (const step of story.split(', ')) {
    const [at = '', word] = step.split(' ')
    if (at === 'lost') {
      tell('lost', detector.interrupt())
      continue
    }
    for (let due = detector.dueMs; !isBusy && due !== undefined && due <= Number(at); due = detector.dueMs)
      tell(due, detector.look(due))
    tell(at, word === 'look' ? detector.look(Number(at)) : detector.edge(word === 'on', Number(at)))
  }
  return told.join(', ')
}

const cases: readonly [title: string, press: Press, story: string, expected: string][] = [
  ['a short press is told when no second one has come', all, '0 on, 100 off, 400 look', '400 short'],
  ['… and at its release where double is not asked for', noDouble, '0 on, 100 off, 900 look', '100 short'],
  ['a press of no time at all is a press', noDouble, '7 on, 7 off', '7 short'],
  [
    'a long press is told while it is held, once, and its release tells nothing',
    all,
    '0 on, 2000 off, 9000 look',
    '500 long',
  ],
  ['a press of just less than that is short', noDouble, '0 on, 499 off', '499 short'],
  ['where long is not asked for, a long press is short', noLong, '0 on, 5000 off, 9000 look', '5300 short'],
  ['… at its release, where nothing else is asked for', onlyShort, '0 on, 5000 off', '5000 short'],
  [
    'a double press is told when the second one begins, and its release tells nothing',
    all,
    '0 on, 80 off, 200 on, 280 off, 9000 look',
    '200 double',
  ],
  [
    'nothing more comes of it when the second one is held',
    all,
    '0 on, 80 off, 200 on, 5000 off, 9000 look',
    '200 double',
  ],
  [
    'a second press at the last moment makes it double',
    all,
    '0 on, 80 off, 379 on, 400 off, 9000 look',
    '379 double',
  ],
  [
    'one that comes later makes two short ones',
    all,
    '0 on, 80 off, 380 on, 400 off, 9000 look',
    '380 short, 700 short',
  ],
  [
    'where double is not asked for, two presses are two',
    noDouble,
    '0 on, 80 off, 200 on, 280 off',
    '80 short, 280 short',
  ],
  [
    'three presses are a double one and a short one',
    all,
    '0 on, 80 off, 160 on, 240 off, 320 on, 400 off, 9000 look',
    '160 double, 700 short',
  ],
  [
    'four are two double ones',
    all,
    '0 on, 80 off, 160 on, 240 off, 320 on, 400 off, 480 on, 560 off, 9000 look',
    '160 double, 480 double',
  ],
  [
    'a double press and a long one',
    all,
    '0 on, 80 off, 160 on, 240 off, 320 on, 2000 off, 9000 look',
    '160 double, 820 long',
  ],
  [
    'a long press is no first half of a double one',
    all,
    '0 on, 600 off, 700 on, 800 off, 9000 look',
    '500 long, 1100 short',
  ],
  [
    'a button that is held at the start is not pressed',
    all,
    '900 off, 1000 on, 1100 off, 9000 look',
    '1400 short',
  ],
  ['the same level again is a bounce', all, '0 on, 3 on, 5 on, 100 off, 103 off, 9000 look', '400 short'],
  ['… also while a long press is held', all, '0 on, 900 on, 1000 off, 9000 look', '500 long'],
  [
    'a release that was lost makes no long press of two short ones',
    noDouble,
    '0 on, lost, 900 on, 950 off',
    '950 short',
  ],
  ['what was complete when edges were lost is told', all, '0 on, 100 off, lost, 9000 look', 'lost short'],
  ['nothing is told of nothing', all, 'lost, 9000 look', ''],
]
for (const [title, press, story, expected] of cases)
  test(title, () => assert.equal(play(press, story), expected))

const lateCases: readonly [title: string, story: string, expected: string][] = [
  [
    'edges that are heard of late are judged by when they were: short',
    '0 on, 100 off, 9000 look',
    '9000 short',
  ],
  ['… long, told at the release at the latest', '0 on, 700 off', '700 long'],
  ['… double', '0 on, 100 off, 200 on, 300 off, 9000 look', '200 double'],
  ['… two short ones', '0 on, 100 off, 500 on, 600 off, 9000 look', '500 short, 9000 short'],
]
for (const [title, story, expected] of lateCases)
  test(title, () => assert.equal(play(all, story, { isBusy: true }), expected))

test('it says when it wants to look, and a look before that tells nothing', () => {
  const detector = new PressDetector(all)
  assert.equal(detector.dueMs, undefined)
  detector.edge(true, 1_000)
  assert.deepEqual([detector.dueMs, detector.isHeld], [1_500, true])
  assert.equal(detector.look(1_499), undefined)
  detector.edge(false, 1_100)
  assert.deepEqual([detector.dueMs, detector.isHeld], [1_400, false])
  assert.equal(detector.look(1_399), undefined)
  assert.equal(detector.look(1_400), 'short')
  assert.equal(detector.dueMs, undefined)
})
