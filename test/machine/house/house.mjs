// The installed service, promise by promise. The parts follow one another on one machine; a failed one is told and
// the rest goes on.
import { end, promise } from './kit.mjs'

const parts = ['install', 'actions', 'commands', 'leave']
for (const part of parts) {
  console.log(`\n${part}`)
  try {
    const { prove } = await import(`./parts/${part}.mjs`)
    await prove()
  } catch (error) {
    promise(`${part} went through`, false, error.stack)
  }
}
end()
