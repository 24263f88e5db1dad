import type { X509Certificate } from 'node:crypto'
import { pemTexts } from '../core/der.ts'
import { reasonOf } from '../core/errors.ts'
import { limits } from '../core/limits.ts'
import type { ListenerTls } from '../core/listener.ts'
import { isListOf, type RevocationList, readRevocations } from '../core/revocations.ts'
import type { NamedFiles } from './named-files.ts'
import { dayOf, PemFiles } from './pem-files.ts'
import { fieldsIn } from './pin-fields.ts'
import type { TreeReader } from './tree-reader.ts'
import { tlsKeys } from './vocabulary/listeners.ts'
import type { Tree, TreeMap } from './yaml-tree.ts'

/** Reads `tls:` of a listener with the files that it names, and checks that they fit. */
export async function readTls(
  tree: Tree,
  what: string,
  reader: TreeReader,
  files: NamedFiles,
): Promise<ListenerTls | undefined> {
  const before = reader.problems.count
  const map = reader.map(tree, what, '{ cert: certs/server.crt, key: certs/server.key }')
  if (map === undefined) return undefined
  reader.knownKeys(map, what, Object.keys(tlsKeys))
  for (const key of ['cert', 'key'] as const)
    if (!map.entries.has(key))
      reader.mistake(tree, `${what} has no ${key}:`, {
        found: null,
        expected: 'cert: and key:, two files in PEM',
        suggestion: 'damselfly cert init makes them, in certs/ of the configuration folder',
      })
  const pem = new PemFiles(files, reader)
  const own = await readOwn(map, what, reader, pem)
  const clients = await readClients(map, what, reader, pem)
  const minVersion = fieldsIn(map, `of ${what}`)('min_version', (value, name) => {
    const word = value.kind === 'scalar' ? String(value.value).replace(/^TLSv/i, '') : ''
    if (word === '1.2') return 'TLSv1.2' as const
    if (word === '1.3') return 'TLSv1.3' as const
    return reader.mistake(value, `${name} is not a version that is allowed`, { expected: '1.2 or 1.3' })
  })
  if (own === undefined || clients === undefined || reader.problems.count !== before) return undefined
  const tls: ListenerTls = { ...own, ...clients, minVersion: minVersion ?? 'TLSv1.2' }
  const problem = await whyUnusable(tls)
  if (problem === undefined) return tls
  return reader.mistake(tree, `${what}: OpenSSL does not take these files: ${problem}`, { found: null })
}

type OwnPart = Pick<ListenerTls, 'certificate' | 'key'>
type ClientsPart = Omit<ListenerTls, 'certificate' | 'key' | 'minVersion'>

async function readOwn(
  map: TreeMap,
  what: string,
  reader: TreeReader,
  pem: PemFiles,
): Promise<OwnPart | undefined> {
  const [certTree, keyTree] = [map.entries.get('cert')?.value, map.entries.get('key')?.value]
  if (certTree === undefined || keyTree === undefined) return undefined
  const certificates = await pem.certificates(certTree, `"cert" of ${what}`)
  const key = await pem.key(keyTree, `"key" of ${what}`)
  if (certificates === undefined || key === undefined) return undefined
  if (!certificates.all[0]?.checkPrivateKey(key.key))
    return reader.mistake(keyTree, `"key" of ${what} does not belong to its certificate`, {
      expected: 'the key that the certificate was made with; its first certificate counts',
    })
  pem.warnOfOwn(certTree, `the certificate of ${what}`, certificates, 'clients refuse')
  return { certificate: certificates.text, key: key.text }
}

async function readClients(
  map: TreeMap,
  what: string,
  reader: TreeReader,
  pem: PemFiles,
): Promise<ClientsPart | undefined> {
  const field = fieldsIn(map, `of ${what}`)
  const wanted = field('client_certificates', (tree, name) =>
    reader.oneOf(tree, name, ['off', 'optional', 'required'] as const),
  )
  const from = field('user_from', (tree, name) =>
    reader.oneOf(tree, name, ['nothing', 'common-name', 'subject-alternative-name'] as const),
  )
  const caTree = map.entries.get('client_ca')?.value
  const crlTree = map.entries.get('crl')?.value
  for (const key of ['client_certificates', 'user_from', 'crl'] as const) {
    const entry = map.entries.get(key)
    const isIdle = { client_certificates: wanted === 'off', user_from: from === 'nothing', crl: false }[key]
    if (entry !== undefined && caTree === undefined && !isIdle)
      reader.mistake(entry, `"${key}" of ${what} says nothing without client_ca:`, {
        found: null,
        expected: 'client_ca: and the certificate of the authority that signs those of clients',
      })
  }
  const authorities = caTree && (await pem.certificates(caTree, `"client_ca" of ${what}`))
  const crlText =
    crlTree && (await pem.files.text(crlTree, `"crl" of ${what}`, limits.certificateFileBytesMax))
  if (caTree !== undefined && authorities !== undefined)
    pem.warnOfAuthorities(caTree, `"client_ca" of ${what}`, authorities)
  if (crlTree !== undefined && crlText !== undefined)
    checkRevocations(crlText, crlTree, `"crl" of ${what}`, authorities?.all ?? [], reader, pem.files)
  return {
    clientAuthorities: authorities?.text,
    revocations: crlText,
    clientCertificates: wanted ?? (caTree === undefined ? 'off' : 'required'),
    userFrom: from ?? 'nothing',
  }
}

function checkRevocations(
  text: string,
  tree: Tree,
  what: string,
  authorities: readonly X509Certificate[],
  reader: TreeReader,
  files: NamedFiles,
): void {
  let lists: readonly RevocationList[] = []
  try {
    lists = readRevocations(text)
  } catch (error) {
    return reader.mistake(tree, `${what} cannot be read: ${reasonOf(error)}`)
  }
  if (lists.length === 0)
    return reader.mistake(tree, `${what} has no list of revoked certificates in it`, {
      expected: 'PEM, which begins with -----BEGIN X509 CRL-----',
    })
  for (const authority of authorities) {
    if (!authority.ca || lists.some((list) => isListOf(list, authority))) continue
    reader.mistake(tree, `${what} has no list of the authority ${nameOf(authority)}`, {
      expected: 'a list of each authority in client_ca:, for without one no certificate of it is accepted',
    })
  }
  for (const { nextUpdate } of lists)
    if (nextUpdate !== undefined && nextUpdate.getTime() < Date.now())
      files.warn(
        tree,
        `${what} has expired on ${dayOf(nextUpdate)}: no client certificate is accepted until there is a new one`,
      )
}

/** What OpenSSL says of all of it together; undefined when it takes it. */
async function whyUnusable(tls: ListenerTls): Promise<string | undefined> {
  const { createSecureContext } = await import('node:tls')
  try {
    createSecureContext({
      cert: tls.certificate,
      key: tls.key.reveal(),
      minVersion: tls.minVersion,
      ...(tls.clientAuthorities === undefined ? {} : { ca: tls.clientAuthorities }),
      ...(tls.revocations === undefined ? {} : { crl: pemTexts(tls.revocations, 'X509 CRL') }),
    })
    return undefined
  } catch (error) {
    return reasonOf(error)
  }
}

function nameOf({ subject }: X509Certificate): string {
  return subject.replaceAll('\n', ', ')
}
