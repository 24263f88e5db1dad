import { isIP } from 'node:net'

/** Endings of names that no page of the internet has. */
const homeEndings = ['local', 'localhost', 'lan', 'home', 'home.arpa', 'internal', 'box']

/**
 * Whether a Host header names this machine as people on its network would: by an address, by a name without dots, by
 * one with an ending for homes, or by the machine's own name. A page that has its own name point here does not.
 */
export function isOwnHost(host: string | undefined, hostName: string): boolean {
  if (host === undefined || host === '') return true // HTTP/1.0
  const name = host.toLowerCase().replace(/:\d+$/, '').replace(/\.$/, '')
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0) return true
  if (!name.includes('.') || name.split('.')[0] === hostName.toLowerCase().split('.')[0]) return true
  return homeEndings.some((ending) => name.endsWith(`.${ending}`))
}
