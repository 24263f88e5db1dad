import type { BridgeAddress, BridgeTls } from '../core/bridge.ts'
import type { NamedFiles } from './named-files.ts'
import { PemFiles } from './pem-files.ts'
import { fieldsIn } from './pin-fields.ts'
import type { ProblemList } from './problem-list.ts'
import type { TreeReader } from './tree-reader.ts'
import { bridgeTlsKeys } from './vocabulary/bridges.ts'
import type { TreeEntry, TreeMap } from './yaml-tree.ts'

/** Reads `tls:` of one bridge; `whose` is `of the bridge "cloud"`. */
export async function readBridgeTls(
  entry: TreeEntry,
  whose: string,
  addresses: readonly BridgeAddress[],
  files: NamedFiles,
  { reader, warnings }: { readonly reader: TreeReader; readonly warnings: ProblemList },
): Promise<BridgeTls | undefined> {
  const what = `"tls" ${whose}`
  const map = reader.map(entry.value, what, '{ ca: FILE, certificate: FILE, key: FILE }')
  if (map === undefined) return undefined
  const meant = reader.knownKeys(map, what, Object.keys(bridgeTlsKeys))
  if (addresses.length > 0 && !addresses.some(({ isSecure }) => isSecure))
    reader.mistake(entry, `${what} does nothing: no address begins with mqtts://`, { found: null })
  const has = (key: string): boolean => map.entries.has(key) || meant.has(key)
  if (has('certificate') !== has('key'))
    reader.mistake(entry, `${what} has a ${has('key') ? 'key' : 'certificate'} alone`, {
      found: null,
      expected: 'certificate: and key:',
    })
  const ca = map.entries.get('ca')?.value
  const certificate = map.entries.get('certificate')?.value
  const key = map.entries.get('key')?.value
  const pem = new PemFiles(files, reader)
  const authorities = ca && (await pem.certificates(ca, `"ca" of ${what}`))
  const ours = certificate && (await pem.certificates(certificate, `"certificate" of ${what}`))
  const secret = key && (await pem.key(key, `"key" of ${what}`))
  if (ca !== undefined && authorities !== undefined) pem.warnOfAuthorities(ca, `"ca" of ${what}`, authorities)
  if (certificate !== undefined && ours !== undefined)
    pem.warnOfOwn(certificate, `the certificate of ${what}`, ours, 'the other broker refuses')
  const field = fieldsIn(map, `of ${what}`)
  const protocol = field('alpn', (tree, name) => reader.text(tree, name, 'a protocol such as mqtt'))
  const isAnyHost = field('insecure_any_host', (tree, name) => reader.boolean(tree, name)) ?? false
  if (isAnyHost) warnOfAnyHost(map, what, reader, warnings)
  return {
    authorities: authorities?.text,
    identity:
      ours === undefined || secret === undefined ? undefined : { certificate: ours.text, key: secret.text },
    protocol,
    isHostChecked: !isAnyHost,
  }
}

function warnOfAnyHost(map: TreeMap, what: string, reader: TreeReader, warnings: ProblemList): void {
  const { start, end } = map.entries.get('insecure_any_host') as TreeEntry
  const message = `${what} does not look for which host a certificate is: others may take the broker’s place`
  warnings.at(reader.source, start, end, message, { found: null })
}
