import { readFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { CertificateFolder } from '#src/certificates/certificate-folder.js'

const readership = { gid: process.getgid?.() ?? 0, mayReadKey: false }
const yearMs = 365 * 86_400_000

/** What a client shows, and the authority that it trusts. */
export interface Papers {
  readonly ca: string
  readonly cert?: string
  readonly key?: string
}

/** An authority in a folder, with a server's certificate for this machine. */
export async function authorityIn(folder: string): Promise<CertificateFolder> {
  const it = new CertificateFolder({ folder, readership })
  const names = ['localhost', '127.0.0.1']
  await it.init({ names, authorityName: `authority of ${folder}`, days: 30 })
  return it
}

/** Makes a certificate for a client. */
export async function papersFor(folder: string, name: string, days = 30): Promise<Papers> {
  await new CertificateFolder({ folder, readership }).addClient(name, days, false)
  return await papersIn(folder, name)
}

/** Makes one that ended long ago. */
export async function expiredPapersFor(folder: string, name: string): Promise<Papers> {
  const past = new CertificateFolder({ folder, readership, nowMs: () => Date.now() - yearMs })
  await past.addClient(name, 30, false)
  return await papersIn(folder, name)
}

export async function papersIn(folder: string, name?: string): Promise<Papers> {
  const text = (file: string): Promise<string> => readFile(join(folder, file), 'utf8')
  const ca = await text('ca.crt')
  if (name === undefined) return { ca }
  return { ca, cert: await text(`clients/${name}.crt`), key: await text(`clients/${name}.key`) }
}

/** Opens TLS from an address of loopback. */
export function tlsFrom(port: number, papers: Papers): (localAddress: string) => TLSSocket {
  return (localAddress) => {
    const socket = createConnection({ host: '127.0.0.1', port, localAddress })
    return connect({ socket, servername: 'localhost', ...papers })
  }
}
