import type { TestContext } from 'node:test'
import { Authority, type Identity } from './certificates.js'

/** PEM texts, as a bridge has them. */
export interface BridgeCertificates {
  readonly authority: string
  /** For 127.0.0.1. */
  readonly server: BridgeIdentity
  readonly client: BridgeIdentity
  /** For a host that nobody is. */
  readonly elsewhere: BridgeIdentity
  /** Of an authority that nobody trusts. */
  readonly stranger: BridgeIdentity
}

export interface BridgeIdentity {
  readonly certificate: string
  readonly key: string
}

/** An authority, and certificates that it has signed. */
export async function bridgeCertificates(context: TestContext): Promise<BridgeCertificates> {
  const house = await Authority.make(context)
  const other = await Authority.make(context, 'Somebody else')
  const texts = ({ cert, key }: Identity): BridgeIdentity => ({ certificate: cert, key })
  return {
    authority: await house.cert,
    server: texts(await house.issue('server', { isServer: true, names: 'IP:127.0.0.1' })),
    client: texts(await house.issue('client')),
    elsewhere: texts(await house.issue('elsewhere', { isServer: true, names: 'DNS:elsewhere.example' })),
    stranger: texts(await other.issue('stranger')),
  }
}
