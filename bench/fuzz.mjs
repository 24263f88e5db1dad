// Feeds random and damaged packets to all decoders: each is read, or refused with a ProtocolError, and nothing else.
//   npm run fuzz [-- COUNT] [--seed NUMBER] [--first NUMBER]
// Every input follows from the seed and its own number: --first NUMBER with COUNT 1 repeats one alone.
import { parseArgs } from 'node:util'
import { inputOf } from './fuzz-inputs.mjs'
import { targets } from './fuzz-targets.mjs'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, first: { type: 'string', default: '0' } },
})
const count = whole('COUNT', positionals[0] ?? '1000000')
const seed = whole('--seed', options.seed ?? String(Math.floor(Math.random() * 2 ** 32)))
const first = whole('--first', options.first)
const failuresShown = 10

let refused = 0
let failures = 0
let fed = 0
const beganAt = performance.now()
for (let number = first; number < first + count && failures < failuresShown; number++) {
  const input = inputOf(seed, number)
  fed++
  for (const [name, run] of targets) {
    try {
      if (!run(input)) refused++
    } catch (error) {
      failures++
      console.error(`${name} failed on input ${number}: ${input.toString('hex')}`)
      console.error(error)
      console.error(`again: npm run fuzz -- 1 --seed ${seed} --first ${number}`)
    }
  }
}
const seconds = (performance.now() - beganAt) / 1_000
const share = Math.round((100 * refused) / (fed * targets.length))
console.log(
  `seed ${seed}: ${fed} inputs to ${targets.length} decoders in ${seconds.toFixed(1)} s, ${Math.round(fed / seconds)} a second; ${share} % refused, ${failures} failures`,
)
process.exitCode = failures === 0 ? 0 : 1

function whole(name, text) {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0)
    throw new Error(`${name} is ${text}: a whole number is needed`)
  return number
}
