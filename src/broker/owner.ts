import { networkOf } from '../core/network.ts'
import type { Party } from './doorkeeper.ts'

/**
 * Who is counted for what all clients share: a user, whatever the client ids; of those without a name the network that
 * they come from. Of what the store does not say whose it is all has one owner.
 */
export function ownerKey(owner: Party | undefined): string {
  if (owner === undefined) return ''
  const { user, realm, address } = owner
  const who = user === undefined ? `address ${networkOf(address)}` : `user ${user}`
  return realm === undefined ? who : `${who}\0${realm}`
}

/** Whether both are one: the same name, or none, verified at the same place. */
export function isSameOwner(one: Party, other: Party): boolean {
  return one.user === other.user && one.realm === other.realm
}
