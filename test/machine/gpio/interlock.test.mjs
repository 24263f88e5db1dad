// Outputs that are never on together, by the levels that the kernel drives.
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Counters } from '#src/core/counters.js'
import { PinBoard } from '#src/gpio/board.js'

const deadTimeMs = 30
const commands = 400
const place = { file: 'damselfly.yaml', line: 1, column: 1 }
const out = (name, line, more = {}) => ({
  name,
  direction: 'out',
  line,
  isActiveLow: false,
  initial: 'off',
  onStop: 'off',
  place,
  ...more,
})
const silent = () => {}
const log = { debug: silent, info: silent, warn: silent, error: silent }

test('two interlocked outputs are never on together under 400 random commands, and keep the dead time', async () => {
  const dataDir = mkdtempSync('/tmp/interlock-')
  const board = new PinBoard({ choice: 'auto', dataDir, log, counters: new Counters() })
  await board.start([
    out('up', 10, { interlock: { pins: ['down'], deadTimeMs }, maxOnMs: 300 }),
    out('down', 11),
  ])
  const watcher = fork('job/level-watcher.mjs', [process.env.PI, '10', '11'])
  const edges = []
  const together = []
  let longestMs
  watcher.on('message', (said) => {
    if (said.line !== undefined) edges.push(said)
    if (said.together !== undefined) together.push(said.together)
    if (said.longestMs !== undefined) longestMs = said.longestMs
  })
  await once(watcher, 'message')

  const roll = (sides) => Math.floor(Math.random() * sides)
  for (let count = 0; count < commands; count++) {
    const command = ['on', 'on', 'off', 'toggle', 'blink'][roll(5)]
    const timing = { blinkMs: 20 + roll(40), ...(roll(2) === 0 ? { forMs: roll(100) } : {}) }
    board.set(['up', 'down'][roll(2)], command, timing)
    if (roll(3) > 0) await sleep(roll(60))
  }
  await board.close()
  await sleep(100)
  watcher.send('end')
  await once(watcher, 'exit')

  const rises = edges.filter(({ level }) => level === 1)
  console.log(
    `${commands} commands: ${edges.length} edges seen, ${rises.length} of them rising; longest pause between two looks ${longestMs.toFixed(1)} ms`,
  )
  assert.deepEqual(together, [])
  assert.ok(rises.length > 40)
  let shortestMs = Number.POSITIVE_INFINITY
  for (const [index, rise] of edges.entries()) {
    if (rise.level === 0) continue
    const fall = edges.slice(0, index).findLast(({ line, level }) => line !== rise.line && level === 0)
    if (fall === undefined) continue
    // the line fell after one look and rose before another: it cannot have been less than
    const atMostMs = rise.byMs - fall.afterMs
    shortestMs = Math.min(shortestMs, atMostMs)
    assert.ok(atMostMs >= deadTimeMs, `${rise.line} rose ${atMostMs} ms at most after the other fell`)
  }
  console.log(`the shortest time from one's fall to the other's rise: ${shortestMs.toFixed(1)} ms at most`)
})
