import { settingsReader } from '../daemon/settings-reader.ts'
import { chosenHouse } from './chosen-house.ts'
import { reportWarnings } from './report.ts'

/**
 * Reads the whole configuration and says whether it is right.
 * @throws ProblemsError with every mistake
 */
export async function check(): Promise<void> {
  const { settings, warnings } = await settingsReader(await chosenHouse()).read()
  reportWarnings(warnings)
  const { rules, pins, configDir } = settings
  console.log(`${configDir}: no mistake; ${count(rules.length, 'rule')}, ${count(pins.length, 'pin')}`)
}

function count(amount: number, what: string): string {
  return `${amount} ${what}${amount === 1 ? '' : 's'}`
}
