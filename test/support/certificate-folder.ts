import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createServer, type TlsOptions } from 'node:tls'
import { promisify } from 'node:util'
import { CertificateFolder } from '#src/certificates/certificate-folder.js'
import { tempFolder } from './temp-folder.js'

export const names = ['house.local', 'localhost', '127.0.0.1', '::1']
export const wish = { names, authorityName: 'Damselfly authority of house', days: 820 }

/** A folder of certificates of its own, whose clock says `nowMs`. */
export async function certificates(context: TestContext, nowMs?: () => number) {
  const folder = join(await tempFolder(context), 'certs')
  const readership = { gid: process.getgid?.() ?? 0, mayReadKey: false }
  const it = new CertificateFolder({ folder, readership, ...(nowMs === undefined ? {} : { nowMs }) })
  return { it, folder, file: (name: string) => join(folder, name) }
}

/** Runs `openssl`; its exit code and all that it printed. */
export async function openssl(...argv: readonly string[]): Promise<{ isOk: boolean; text: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)('openssl', argv, { timeout: 20_000 })
    return { isOk: true, text: stdout + stderr }
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    return { isOk: false, text: stdout + stderr }
  }
}

/** A door with TLS before a broker on this port of loopback. @returns its port */
export async function tlsDoor(
  context: TestContext,
  folder: string,
  brokerPort: number,
  options: TlsOptions = {},
): Promise<number> {
  const [cert, key, ca, crl] = await Promise.all(
    ['server.crt', 'server.key', 'ca.crt', 'ca.crl'].map((name) => readFile(join(folder, name))),
  )
  const server = createServer(
    { cert, key, ...(options.requestCert === true ? { ca, crl } : {}), ...options },
    (socket) => {
      const broker = connect(brokerPort, '127.0.0.1')
      for (const end of [socket, broker]) end.on('error', () => [socket, broker].map((one) => one.destroy()))
      socket.pipe(broker).pipe(socket)
    },
  )
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => server.close())
  return (server.address() as AddressInfo).port
}
