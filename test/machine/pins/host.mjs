// Plays the job, and judges what only somebody outside sees: what the lines do until the machine's end.
import { boot } from '../bed/machine.mjs'
import { failureCount, promise } from '../proof.mjs'
import { left } from './edge-log.mjs'

const lines = { valve: 5, lamp: 17, relay: 18, fan: 19 }

export async function play({ machine, args }) {
  const booted = boot({ ...machine, script: ['job/run.sh', ...args].join(' ') })
  const code = await booted.ended()
  const wire = booted.wire()
  booted.clear()
  if (!wire.includes(' poweroff')) return code
  left(wire, 'poweroff', lines, promise)
  console.log(
    code === 0 && failureCount() === 0
      ? 'every promise holds, inside and outside'
      : 'not every promise holds',
  )
  return failureCount() === 0 ? code : 1
}
