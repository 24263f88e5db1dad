import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { promisify } from 'node:util'
import type { ListenerTls } from '#src/core/listener.js'
import { Secret } from '#src/core/secret.js'
import { tempFolder } from './temp-folder.js'

const run = promisify(execFile)

/** A certificate and its key: paths, and their PEM texts. */
export interface Identity {
  readonly certPath: string
  readonly keyPath: string
  readonly cert: string
  readonly key: string
}

export interface CertificateTerms {
  /** Days from now; negative for one that has expired. 30 unless told. */
  readonly days?: number
  /** `DNS:localhost,IP:127.0.0.1` for a server. */
  readonly names?: string
  readonly isServer?: boolean
}

/** A private authority in a folder of its own, as openssl makes it. */
export class Authority {
  readonly folder: string
  readonly certPath: string
  readonly #key: string
  #crlNumber = 0

  private constructor(folder: string) {
    this.folder = folder
    this.certPath = join(folder, 'ca.crt')
    this.#key = join(folder, 'ca.key')
  }

  static async make(context: TestContext, name = 'Test authority'): Promise<Authority> {
    const folder = await tempFolder(context)
    const authority = new Authority(folder)
    await openssl(
      folder,
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -keyout ca.key -out ca.crt -subj`,
      `/CN=${name}`,
    )
    await writeFile(join(folder, 'index'), '')
    await writeFile(
      join(folder, 'ca.conf'),
      `[ca]\ndefault_ca = it\n[it]\ndatabase = ${folder}/index\ncrlnumber = ${folder}/number\ndefault_md = sha256\nserial = ${folder}/serial\n`,
    )
    return authority
  }

  get cert(): Promise<string> {
    return readFile(this.certPath, 'utf8')
  }

  async issue(
    subject: string,
    { days = 30, names, isServer = false }: CertificateTerms = {},
  ): Promise<Identity> {
    const { folder } = this
    const file = `${subject.replaceAll(/[^A-Za-z0-9]/g, '-')}-${Math.random().toString(36).slice(2, 8)}`
    await openssl(
      folder,
      `req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${file}.key -out ${file}.csr -subj`,
      subject.startsWith('/') ? subject : `/CN=${subject}`,
    )
    await writeFile(
      join(folder, `${file}.ext`),
      [
        `extendedKeyUsage=${isServer ? 'serverAuth' : 'clientAuth'}`,
        ...(names === undefined ? [] : [`subjectAltName=${names}`]),
      ].join('\n'),
    )
    await openssl(
      folder,
      `x509 -req -in ${file}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days ${days} -extfile ${file}.ext -out ${file}.crt`,
    )
    const [certPath, keyPath] = [join(folder, `${file}.crt`), join(folder, `${file}.key`)]
    return { certPath, keyPath, cert: await readFile(certPath, 'utf8'), key: await readFile(keyPath, 'utf8') }
  }

  /** A server's, for this machine. */
  server(): Promise<Identity> {
    return this.issue('localhost', { isServer: true, names: 'DNS:localhost,IP:127.0.0.1' })
  }

  /** The list of what was revoked so far, and these, as PEM; valid for so many days. */
  async revoke(identities: readonly Identity[] = [], days = 30): Promise<string> {
    const { folder } = this
    const signing = `-config ca.conf -cert ca.crt -keyfile ${this.#key}`
    for (const { certPath } of identities) await openssl(folder, `ca ${signing} -revoke ${certPath}`)
    await writeFile(join(folder, 'number'), `${String(++this.#crlNumber).padStart(2, '0')}\n`)
    const lasting = days > 0 ? `-crldays ${days}` : '-crlsec 1'
    await openssl(folder, `ca ${signing} -gencrl ${lasting} -out crl.pem`)
    return await readFile(join(folder, 'crl.pem'), 'utf8')
  }
}

/** What a listener has with this certificate; clients need none unless told. */
export function tlsOf({ cert, key }: Identity, terms: Partial<ListenerTls> = {}): ListenerTls {
  return {
    certificate: cert,
    key: new Secret(key),
    clientAuthorities: undefined,
    revocations: undefined,
    clientCertificates: terms.clientAuthorities === undefined ? 'off' : 'required',
    userFrom: 'nothing',
    minVersion: 'TLSv1.2',
    ...terms,
  }
}

async function openssl(folder: string, words: string, ...more: readonly string[]): Promise<void> {
  await run('openssl', [...words.split(' '), ...more], { cwd: folder })
}
