// The package, promise by promise. The parts follow one another on one machine; a failed one is told and the rest goes on.
import { end, promise } from '../proof.mjs'

const parts = ['fresh', 'upgrade', 'remove', 'purge', 'held', 'alike', 'taken-over', 'to-and-fro']
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
