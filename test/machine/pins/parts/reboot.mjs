import { leave } from '../leave.mjs'

/** @param remember keeps what there is to do after it */
export async function prove(remember) {
  await leave('reboot', remember)
}
