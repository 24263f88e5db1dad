// The promises about pins, part by part. After `reboot` the machine comes here again.
//   --parts A,B   only these, in this order; `late` is what installs the service, `off` ends with the machine
import { readFileSync, writeFileSync } from 'node:fs'
import { end, failureCount, promise } from './kit.mjs'

const memory = '/var/lib/pins/memory.json'
const { left, failures } = remembered()
for (const part of [...left]) {
  left.shift()
  console.log(`\n${part}`)
  const begun = Date.now()
  try {
    const { prove } = await import(`./parts/${part}.mjs`)
    await prove(remember)
  } catch (error) {
    promise(`${part} went through`, false, error.stack)
  }
  console.log(`  ${Math.round((Date.now() - begun) / 1_000)} s`)
}
end(failures)

/** Keeps what there is to do, for the next boot. @returns how many promises have not held so far */
function remember() {
  const all = failures + failureCount()
  writeFileSync(memory, JSON.stringify({ left, failures: all }))
  return all
}

function remembered() {
  try {
    return JSON.parse(readFileSync(memory, 'utf8'))
  } catch {
    const chosen = process.argv[process.argv.indexOf('--parts') + 1]
    const all = [
      'late',
      'commands',
      'interlock',
      'inputs',
      'reload',
      'busy',
      'stop',
      'crash',
      'hang',
      'reboot',
      'boot',
      'off',
    ]
    return { left: process.argv.includes('--parts') ? chosen.split(',') : all, failures: 0 }
  }
}
