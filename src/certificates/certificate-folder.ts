import { createPrivateKey, type X509Certificate } from 'node:crypto'
import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { DamselflyError } from '../core/errors.ts'
import type { Authority, Revocation } from './authority.ts'
import {
  filesIn,
  findCertificate,
  findKey,
  findText,
  invalid,
  makeFolder,
  newKey,
  type Readership,
  readCertificate,
  writeWhole,
} from './certificate-files.ts'

const dayMs = 86_400_000
/** The authority is on every device: it must outlive them. */
const authorityDays = 20 * 365
/** A clock that is a little late must not find it in the future. */
const earlyMs = dayMs

export interface CertificateFolderOptions {
  /** Absolute. */
  readonly folder: string
  readonly readership: Readership
  /** `Date.now` unless told. */
  readonly nowMs?: () => number
}

export interface ServerWish {
  /** Names and addresses, the first one that clients are told. */
  readonly names: readonly string[]
  /** What the authority is called, if there is none yet. */
  readonly authorityName: string
  readonly days: number
}

/** What `init` did. */
export interface ServerIssue {
  readonly isNewAuthority: boolean
  readonly certificate: X509Certificate
  /** The one before, which is overwritten. */
  readonly before: X509Certificate | undefined
}

export interface KnownCertificate {
  /** Absolute. */
  readonly path: string
  readonly certificate: X509Certificate
  /** When it was taken back. */
  readonly revokedAt: Date | undefined
}

/**
 * A private authority and what it has signed, in a folder: `ca.crt`, `ca.key` (its owner's alone), `ca.crl`, `server.crt`,
 * `server.key`, and `clients/NAME.crt` and `.key`. Each file is written whole, a key before its certificate, so that an end
 * in between is made good by the same call again. Nothing of the authority is ever overwritten but its list.
 */
export class CertificateFolder {
  readonly #folder: string
  readonly #clients: string
  readonly #readership: Readership
  readonly #nowMs: () => number

  constructor({ folder, readership, nowMs = Date.now }: CertificateFolderOptions) {
    this.#folder = folder
    this.#clients = join(folder, 'clients')
    this.#readership = readership
    this.#nowMs = nowMs
  }

  path(name: string): string {
    return join(this.#folder, name)
  }

  /**
   * Makes the authority if there is none, and a new certificate for the server, whose key stays: what a device was told to
   * trust goes on to be right.
   * @throws DamselflyError `CONFIG_INVALID` for files that are not what they should be, or cannot be written
   */
  async init({ names, authorityName, days }: ServerWish): Promise<ServerIssue> {
    const before = await findCertificate(this.path('server.crt'))
    await this.#refuseForeign(before)
    await makeFolder(this.#folder, 0o750, this.#readership.gid)
    const isNewAuthority = (await findText(this.path('ca.crt'))) === undefined
    const authority = isNewAuthority ? await this.#makeAuthority(authorityName) : await this.#authority()
    if ((await findText(this.path('ca.crl'))) === undefined) await this.#writeList(authority, [])
    const key = (await findKey(this.path('server.key'))) ?? (await this.#makeServerKey())
    const { issue } = await import('./authority.ts')
    const text = await issue(authority, key, { kind: 'server', names }, this.#validity(days))
    await this.#write('server.crt', text, 0o644)
    return { isNewAuthority, certificate: await readCertificate(this.path('server.crt')), before }
  }

  /**
   * Makes key and certificate for a client. One that has some gets others with `isAgain`; what it had holds until it is revoked.
   * @throws DamselflyError `USAGE` when it has some, `CONFIG_INVALID`
   */
  async addClient(name: string, days: number, isAgain: boolean): Promise<X509Certificate> {
    const authority = await this.#authority()
    const path = join(this.#clients, `${name}.crt`)
    const before = await findCertificate(path)
    const revoked = new Set((await this.#revocations()).map(({ serialNumber }) => plainSerial(serialNumber)))
    const hasOne = before !== undefined && !revoked.has(plainSerial(before.serialNumber))
    if (hasOne && !isAgain)
      throw new DamselflyError(
        'USAGE',
        `${name} has a certificate, ${path}, until ${day(new Date(before.validTo))}; --again makes another one, and damselfly cert revoke ${name} takes back all that it has`,
      )
    await makeFolder(this.#clients, 0o700)
    if (before !== undefined) await rename(path, join(this.#clients, `${name}.${shortSerial(before)}.crt`))
    const key = newKey()
    const { issue } = await import('./authority.ts')
    const text = await issue(authority, key, { kind: 'client', name }, this.#validity(days))
    await writeWhole(join(this.#clients, `${name}.key`), key, 0o600)
    await writeWhole(path, text, 0o644)
    return await readCertificate(path)
  }

  /**
   * Takes back all certificates of a client that are not taken back yet.
   * @returns how many; 0 when all were
   * @throws DamselflyError `USAGE` for a client that has none, `CONFIG_INVALID`
   */
  async revokeClient(name: string): Promise<number> {
    const authority = await this.#authority()
    const clients = await this.#clientCertificates()
    const own = clients.filter(({ certificate }) => commonName(certificate) === name)
    if (own.length === 0) {
      const names = [...new Set(clients.map(({ certificate }) => commonName(certificate)))]
      throw new DamselflyError(
        'USAGE',
        `no client has a certificate for "${name}"; there ${names.length === 0 ? 'is none at all' : `is ${names.join(', ')}`}`,
      )
    }
    const revoked = await this.#revocations()
    const known = new Set(revoked.map(({ serialNumber }) => plainSerial(serialNumber)))
    const at = new Date(this.#nowMs())
    const added = own
      .map(({ certificate }) => certificate.serialNumber)
      .filter((serialNumber) => !known.has(plainSerial(serialNumber)))
    if (added.length > 0)
      await this.#writeList(authority, [...revoked, ...added.map((serialNumber) => ({ serialNumber, at }))])
    return added.length
  }

  /** The authority, the server's and the clients' certificates, as far as there are some. */
  async list(): Promise<readonly KnownCertificate[]> {
    const found: KnownCertificate[] = []
    for (const name of ['ca.crt', 'server.crt']) {
      const certificate = await findCertificate(this.path(name))
      if (certificate !== undefined) found.push({ path: this.path(name), certificate, revokedAt: undefined })
    }
    const revoked = new Map(
      (await this.#revocations()).map(({ serialNumber, at }) => [plainSerial(serialNumber), at]),
    )
    for (const { path, certificate } of await this.#clientCertificates())
      found.push({ path, certificate, revokedAt: revoked.get(plainSerial(certificate.serialNumber)) })
    return found
  }

  async #makeAuthority(name: string): Promise<Authority> {
    let key = await findKey(this.path('ca.key')) // there when an earlier call was cut off
    if (key === undefined) {
      key = newKey()
      await writeWhole(this.path('ca.key'), key, 0o600)
    }
    const { authorityFor } = await import('./authority.ts')
    const authority = await authorityFor(key, name, this.#validity(authorityDays))
    await this.#write('ca.crt', authority.certificate, 0o644)
    return authority
  }

  async #authority(): Promise<Authority> {
    const certificate = await findCertificate(this.path('ca.crt'))
    if (certificate === undefined)
      throw invalid(`there is no authority in ${this.#folder}: damselfly cert init makes one`)
    const key = await findKey(this.path('ca.key'))
    if (key === undefined)
      throw invalid(
        `${this.path('ca.key')} is not there: bring it back from where you keep it, for this call`,
      )
    if (!certificate.checkPrivateKey(createPrivateKey(key)))
      throw invalid(`${this.path('ca.key')} is not the key of ca.crt`)
    return { certificate: certificate.toString(), key }
  }

  /** A certificate from elsewhere is not overwritten. */
  async #refuseForeign(server: X509Certificate | undefined): Promise<void> {
    if (server === undefined) return
    const authority = await findCertificate(this.path('ca.crt'))
    if (authority !== undefined && server.verify(authority.publicKey)) return
    throw invalid(`${this.path('server.crt')} was not made by ca.crt beside it: move it and server.key away`)
  }

  async #makeServerKey(): Promise<string> {
    const key = newKey()
    await this.#write('server.key', key, this.#readership.mayReadKey ? 0o640 : 0o600)
    return key
  }

  async #clientCertificates(): Promise<readonly { path: string; certificate: X509Certificate }[]> {
    const names = await filesIn(this.#clients, '.crt')
    const paths = names.map((name) => join(this.#clients, name))
    return await Promise.all(paths.map(async (path) => ({ path, certificate: await readCertificate(path) })))
  }

  async #revocations(): Promise<readonly Revocation[]> {
    const text = await findText(this.path('ca.crl'))
    if (text === undefined) return []
    const { revocationsIn } = await import('./authority.ts')
    try {
      return revocationsIn(text)
    } catch (cause) {
      throw invalid(`${this.path('ca.crl')} is not a list of revoked certificates`, cause)
    }
  }

  async #writeList(authority: Authority, revoked: readonly Revocation[]): Promise<void> {
    const { revocationList } = await import('./authority.ts')
    await this.#write('ca.crl', await revocationList(authority, revoked, new Date(this.#nowMs())), 0o644)
  }

  async #write(name: string, text: string, mode: number): Promise<void> {
    await writeWhole(this.path(name), text, mode, this.#readership.gid)
  }

  #validity(days: number) {
    const fromMs = Math.floor((this.#nowMs() - earlyMs) / 1_000) * 1_000
    return { notBefore: new Date(fromMs), notAfter: new Date(fromMs + days * dayMs) }
  }
}

/** The common name of a certificate's subject: the name of a client. */
export function commonName({ subject }: X509Certificate): string {
  return /^CN=(.*)$/m.exec(subject)?.[1] ?? ''
}

/** `2027-01-31` */
export function day(date: Date): string {
  return date.toISOString().slice(0, 10)
}

function shortSerial({ serialNumber }: X509Certificate): string {
  return serialNumber.slice(0, 12).toLowerCase()
}

function plainSerial(serialNumber: string): string {
  return serialNumber.toLowerCase().replace(/^0+/, '')
}
