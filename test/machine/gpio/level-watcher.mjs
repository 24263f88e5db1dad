// Looks at the levels that the kernel drives, as fast as it can, and tells its parent each change with the moments
// between which it was: { line, level, afterMs, byMs }. Also each look at which two of the lines were high together.
import { openSync, readSync } from 'node:fs'

const [folder, ...lines] = process.argv.slice(2)
const files = lines.map((line) => openSync(`${folder}/sim_gpio${line}/value`, 'r'))
const room = Buffer.alloc(1)
const isHigh = (index) => {
  readSync(files[index], room, 0, 1, 0)
  return room[0] === 0x31
}
let begunMs = performance.now() // the last look
let levels = files.map((_, index) => isHigh(index))
let longestMs = 0
process.send('looking')

function look() {
  const beginMs = performance.now()
  const now = files.map((_, index) => isHigh(index))
  // a look takes time: what was high at its begin and is so at its end was high all the while
  const still = now.map((high, index) => high && isHigh(index))
  const endMs = performance.now()
  longestMs = Math.max(longestMs, endMs - begunMs)
  for (const [index, high] of now.entries())
    if (high !== levels[index])
      process.send({ line: lines[index], level: high ? 1 : 0, afterMs: begunMs, byMs: endMs })
  const together = lines.filter((_, index) => still[index])
  if (together.length > 1) process.send({ together })
  levels = now
  begunMs = beginMs
  setImmediate(look)
}

process.on('message', () => {
  process.send({ longestMs })
  setImmediate(() => process.exit())
})
look()
