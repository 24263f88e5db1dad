import { leave } from '../leave.mjs'

/** The last part: host.mjs looks at what the lines did. */
export async function prove(remember) {
  await leave('poweroff', remember)
}
