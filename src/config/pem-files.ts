import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { pemBlocks } from '../core/der.ts'
import { errnoOf, reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import { Secret } from '../core/secret.ts'
import type { NamedFiles } from './named-files.ts'
import type { TreeReader } from './tree-reader.ts'
import type { Tree } from './yaml-tree.ts'

/** From then on our own certificate is told to be about to expire. */
const soonMs = 14 * 24 * 3_600_000

/** Certificates in PEM, with the text that they stand in. */
export interface Certificates {
  readonly text: string
  readonly all: readonly X509Certificate[]
}

/** Reads the certificates and keys that `damselfly.yaml` names, and checks that they are some. */
export class PemFiles {
  readonly files: NamedFiles
  readonly #reader: TreeReader

  constructor(files: NamedFiles, reader: TreeReader) {
    this.files = files
    this.#reader = reader
  }

  /** At least one; the first is ours, if they are ours, and the rest leads to its authority. */
  async certificates(tree: Tree, what: string): Promise<Certificates | undefined> {
    const text = await this.files.text(tree, what, limits.certificateFileBytesMax)
    if (text === undefined) return undefined
    const blocks = pemBlocks(text, 'CERTIFICATE')
    if (blocks.length === 0)
      return this.#reader.mistake(tree, `${what} has no certificate in it`, {
        expected: 'PEM, which begins with -----BEGIN CERTIFICATE-----',
        suggestion: 'openssl x509 -inform DER -in FILE -out FILE.pem, if it is a .der or a .cer',
      })
    try {
      return { text, all: blocks.map((block) => new X509Certificate(block)) }
    } catch (error) {
      return this.#reader.mistake(tree, `${what} has a certificate that cannot be read: ${reasonOf(error)}`)
    }
  }

  async key(
    tree: Tree,
    what: string,
  ): Promise<{ readonly text: Secret; readonly key: KeyObject } | undefined> {
    const text = await this.files.text(tree, what, limits.certificateFileBytesMax, { isSecret: true })
    if (text === undefined) return undefined
    try {
      return { text: new Secret(text), key: createPrivateKey(text) }
    } catch (error) {
      const isLocked = /ENCRYPTED/.test(text) || errnoOf(error) === 'ERR_MISSING_PASSPHRASE'
      const message = isLocked ? `${what} has a passphrase` : `${what} has no private key in it`
      return this.#reader.mistake(tree, message, {
        expected: 'a private key in PEM, without a passphrase',
        ...(isLocked ? { suggestion: 'openssl pkey -in FILE -out FILE.open; chmod 640 FILE.open' } : {}),
      })
    }
  }

  /** Tells that our certificate has expired, does so soon, or is not valid yet; the others refuse it. */
  warnOfOwn(tree: Tree, what: string, { all: [own] }: Certificates, others: string): void {
    if (own !== undefined) this.#warnOfTimes(tree, what, own, soonMs, `: ${others} it`)
  }

  /** Tells authorities that have expired, or are not valid yet. */
  warnOfAuthorities(tree: Tree, what: string, { all }: Certificates): void {
    for (const authority of all) this.#warnOfTimes(tree, `an authority in ${what}`, authority, 0, '')
  }

  #warnOfTimes(
    tree: Tree,
    what: string,
    { validFrom, validTo }: X509Certificate,
    aheadMs: number,
    effect: string,
  ): void {
    const [from, to] = [new Date(validFrom), new Date(validTo)]
    const nowMs = Date.now()
    if (to.getTime() < nowMs) this.files.warn(tree, `${what} has expired on ${dayOf(to)}${effect}`)
    else if (to.getTime() < nowMs + aheadMs) this.files.warn(tree, `${what} expires on ${dayOf(to)}`)
    if (from.getTime() > nowMs)
      this.files.warn(tree, `${what} is not valid before ${dayOf(from)}: compare the clocks`)
  }
}

export function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10)
}
