import { networkOf } from './access/network.ts'
import type { Party } from './doorkeeper.ts'

/**
 * Who is counted for what all clients share: a user, whatever the client ids; of those without a name the network that
 * they come from. Of what the store does not say whose it is all has one owner.
 */
export function ownerKey(owner: Party | undefined): string {
  if (owner === undefined) return ''
  const { user, address } = owner
  return user === undefined ? `address ${networkOf(address)}` : `user ${user}`
}
