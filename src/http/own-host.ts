import { isIP } from 'node:net'
import { isNearName } from '../core/near-name.ts'

/**
 * Whether a Host header names this machine as people on its network would: by an address, by a name that only the
 * network itself gives, or by the machine's own name, domain included. A page that has its own name point here does not.
 */
export function isOwnHost(host: string | undefined, hostName: string): boolean {
  if (host === undefined || host === '') return true // HTTP/1.0
  const name = host.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '')
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0) return true
  const own = hostName.toLowerCase()
  return name === own || isNearName(name) || name === `${own.split('.')[0]}.fritz.box`
}
