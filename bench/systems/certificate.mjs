// A certificate for the loopback address: the same kind for both brokers.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Makes it with openssl. @returns { cert, key }: paths */
export async function certificate(folder) {
  const [cert, key] = [join(folder, 'server.crt'), join(folder, 'server.key')]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const about = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  await promisify(execFile)('openssl', ['req', '-x509', ...kind, ...about, '-keyout', key, '-out', cert])
  return { cert, key }
}
