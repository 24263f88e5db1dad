import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { tempFolder } from './temp-folder.js'

/** PEM texts, made by openssl for one test. */
export interface Certificates {
  readonly authority: string
  /** For 127.0.0.1. */
  readonly server: Identity
  readonly client: Identity
  /** For a host that nobody is. */
  readonly elsewhere: Identity
  /** Signed by nobody else. */
  readonly stranger: Identity
}

export interface Identity {
  readonly certificate: string
  readonly key: string
}

/** An authority, and certificates that it has signed. */
export async function certificates(context: TestContext): Promise<Certificates> {
  const folder = await tempFolder(context)
  const openssl = (...argv: readonly string[]): void =>
    void execFileSync('openssl', argv, { cwd: folder, stdio: ['ignore', 'ignore', 'ignore'] })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const root = async (name: string): Promise<Identity> => {
    openssl(
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.crt`,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    )
    return read(name)
  }
  const signed = async (name: string, host?: string): Promise<Identity> => {
    openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    await writeFile(join(folder, 'extensions'), host === undefined ? '' : `subjectAltName=${host}`)
    const by = ['-CA', 'authority.crt', '-CAkey', 'authority.key', '-CAcreateserial']
    openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      ...by,
      '-out',
      `${name}.crt`,
      '-days',
      '2',
      '-extfile',
      'extensions',
    )
    return read(name)
  }
  const read = async (name: string): Promise<Identity> => ({
    certificate: await readFile(join(folder, `${name}.crt`), 'utf8'),
    key: await readFile(join(folder, `${name}.key`), 'utf8'),
  })
  return {
    authority: (await root('authority')).certificate,
    server: await signed('server', 'IP:127.0.0.1'),
    client: await signed('client'),
    elsewhere: await signed('elsewhere', 'DNS:elsewhere.example'),
    stranger: await root('stranger'),
  }
}
