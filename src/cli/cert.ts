import type { X509Certificate } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { hostname } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { findText, writeWhole } from '../certificates/certificate-files.ts'
import { CertificateFolder, commonName, day } from '../certificates/certificate-folder.ts'
import { isServerName, serverNames } from '../certificates/names.ts'
import { yamlPath } from '../config/damselfly-yaml.ts'
import { readSafeScalars } from '../config/read-safe-scalars.ts'
import { DamselflyError, errnoOf } from '../core/errors.ts'
import { readNetwork } from '../system/network.ts'
import { type CertPaths, clientLines, listenerLines, listenerWith, withListener } from './cert-words.ts'
import { chosenHouse } from './chosen-house.ts'

/** What iOS and macOS, and browsers after them, accept at most of a server: https://support.apple.com/en-us/103769 */
const browserDaysMax = 825
const daysMax = 7_300
const defaultPort = 8_883
/** How long before its end `show` says that a certificate is to be renewed. */
const soonDays = 60

interface FolderOptions {
  readonly folder?: string
}

interface InitOptions extends FolderOptions {
  readonly name?: string
  readonly san: readonly string[]
  readonly days: string
  readonly listen?: string | true
}

/** @throws DamselflyError `USAGE`, `CONFIG_INVALID` */
export async function certInit(options: InitOptions): Promise<void> {
  const days = daysOf(options.days)
  const port = options.listen === undefined || options.listen === true ? defaultPort : portOf(options.listen)
  for (const name of options.san)
    if (!isServerName(name))
      throw new DamselflyError(
        'USAGE',
        `--san ${name}: neither a name such as broker.example.org nor an address`,
      )
  const house = await certHouse(options)
  const name = options.name ?? house.name
  if (options.name !== undefined && !isServerName(`${options.name}.local`))
    throw new DamselflyError('USAGE', `--name ${options.name}: letters, digits and hyphens, as in shed`)
  const { addresses } = await readNetwork()
  const names = serverNames({
    host: hostname(),
    name,
    addresses: addresses
      .filter(({ isLoopback, isLinkLocal }) => !isLoopback && !isLinkLocal)
      .map(({ address }) => address),
    more: options.san,
  })
  const { isNewAuthority, certificate, before } = await house.files.init({
    names,
    authorityName: `Damselfly authority of ${name}`,
    days,
  })
  console.log(
    [
      ...(isNewAuthority
        ? [
            `made an authority: ${house.shown('ca.crt')} is for every client; ${house.shown('ca.key')} is for nobody`,
            'Who has that key can make certificates that your clients trust: keep it safe, or elsewhere.',
          ]
        : [`kept the authority ${house.shown('ca.crt')}`]),
      ...renewalLines(house.shown('server.crt'), certificate, before),
      ...(days > browserDaysMax
        ? [
            `iOS, macOS and browsers refuse a server whose certificate holds for more than ${browserDaysMax} days.`,
          ]
        : []),
      '',
      ...(await listenLines(house, port, options.listen !== undefined)),
      '',
      ...clientLines(names[0] ?? 'localhost', port, 'ca.crt'),
    ].join('\n'),
  )
}

/** @throws DamselflyError `USAGE`, `CONFIG_INVALID` */
export async function certClient(
  name: string,
  options: FolderOptions & { readonly days: string; readonly again?: boolean },
): Promise<void> {
  if (!/^[A-Za-z0-9@_-][A-Za-z0-9@._-]{0,63}$/.test(name))
    throw new DamselflyError(
      'USAGE',
      `"${name}" cannot be the name of a client: letters, digits, @ . - and _, 64 at most`,
    )
  const house = await certHouse(options)
  const certificate = await house.files.addClient(name, daysOf(options.days), options.again === true)
  const host = serverNames({ host: hostname(), name: house.name, addresses: [], more: [] })[0] ?? 'localhost'
  const paths = { certificate: `${name}.crt`, key: `${name}.key` }
  console.log(
    [
      `made ${house.shown(`clients/${name}.crt`)}, until ${day(new Date(certificate.validTo))}, and its key ${house.shown(`clients/${name}.key`)}`,
      `Copy both and ${house.shown('ca.crt')} to the client; the key need not stay here.`,
      '',
      ...clientLines(host, defaultPort, 'ca.crt', paths),
      '',
      'The listener asks for certificates when its tls: has client_ca: (docs/certificates.md).',
    ].join('\n'),
  )
}

/** @throws DamselflyError `USAGE`, `CONFIG_INVALID` */
export async function certRevoke(name: string, options: FolderOptions): Promise<void> {
  const house = await certHouse(options)
  const count = await house.files.revokeClient(name)
  console.log(
    count === 0
      ? `${name} has none that is not taken back already`
      : `took back ${count === 1 ? 'the certificate' : `${count} certificates`} of ${name}: ${house.shown('ca.crl')} says so to listeners whose tls: has crl:`,
  )
}

/** @throws DamselflyError `CONFIG_INVALID` */
export async function certShow(options: FolderOptions & { readonly json?: boolean }): Promise<void> {
  const house = await certHouse(options)
  const rows = (await house.files.list()).map(({ path, certificate, revokedAt }) => ({
    file: path,
    name: commonName(certificate),
    names: namesOf(certificate),
    from: new Date(certificate.validFrom).toISOString(),
    until: new Date(certificate.validTo).toISOString(),
    revoked: revokedAt?.toISOString() ?? null,
  }))
  if (options.json === true) {
    console.log(JSON.stringify(rows, undefined, 2))
    return
  }
  if (rows.length === 0) console.log(`no certificates in ${house.folder}: damselfly cert init makes some`)
  for (const { file, name, names, until, revoked } of rows) {
    console.log(`${relative(house.folder, file)}  ${name}  ${stateOf(until, revoked)}`)
    if (names.length > 0) console.log(`  ${names.join(', ')}`)
  }
}

function stateOf(until: string, revoked: string | null): string {
  if (revoked !== null) return `taken back ${revoked.slice(0, 10)}`
  const daysLeft = Math.floor((Date.parse(until) - Date.now()) / 86_400_000)
  if (daysLeft < 0) return `ended ${until.slice(0, 10)}`
  return `until ${until.slice(0, 10)}${daysLeft < soonDays ? `, in ${daysLeft} days` : ''}`
}

interface CertHouse {
  /** Absolute. */
  readonly folder: string
  readonly configDir: string
  readonly name: string
  readonly files: CertificateFolder
  /** A file of the folder as it is shown to people. */
  shown(file: string): string
}

async function certHouse({ folder: wished }: FolderOptions): Promise<CertHouse> {
  const { cwd, environment, isService } = await chosenHouse()
  const { scalars } = await readSafeScalars({ cwd, environment, isTerminal: false })
  const { configDir, name } = scalars
  const folder = wished === undefined ? join(configDir, 'certs') : resolve(wished)
  // the daemon reads .env: whose group may read that may read the server's key
  const model = (await statOf(join(cwd, '.env'))) ?? (await statOf(configDir))
  const readership = {
    gid: model?.gid ?? process.getgid?.() ?? 0,
    mayReadKey: isService && model !== undefined && (model.mode & 0o040) !== 0,
  }
  const files = new CertificateFolder({ folder, readership })
  const isNear = !relative(process.cwd(), folder).startsWith('..')
  return {
    folder,
    configDir,
    name,
    files,
    shown: (file) => (isNear ? relative(process.cwd(), join(folder, file)) : join(folder, file)),
  }
}

async function statOf(path: string) {
  try {
    return await stat(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function renewalLines(
  shown: string,
  certificate: X509Certificate,
  before: X509Certificate | undefined,
): readonly string[] {
  const names = namesOf(certificate)
  const until = day(new Date(certificate.validTo))
  if (before === undefined) return [`made ${shown}, until ${until}, for`, `  ${names.join(', ')}`]
  const old = namesOf(before)
  const more = names.filter((name) => !old.includes(name))
  const less = old.filter((name) => !names.includes(name))
  return [
    `renewed ${shown}, until ${until}; the one before, until ${day(new Date(before.validTo))}, is overwritten`,
    ...(more.length > 0 ? [`  new in it: ${more.join(', ')}`] : []),
    ...(less.length > 0 ? [`  no more in it: ${less.join(', ')} (--san keeps a name)`] : []),
  ]
}

function namesOf({ subjectAltName }: X509Certificate): readonly string[] {
  return (subjectAltName ?? '')
    .split(', ')
    .filter((part) => part !== '')
    .map((part) => shortAddress(part.replace(/^(DNS|IP Address):/, '')))
}

/** `FD00:0:0:0:0:0:0:2` as people write it: `fd00::2`. */
function shortAddress(name: string): string {
  return isIPv6(name) ? new URL(`http://[${name}]`).hostname.slice(1, -1) : name
}

/** Writes the listener, or shows it. */
async function listenLines(
  { configDir, folder }: CertHouse,
  port: number,
  isToBeWritten: boolean,
): Promise<readonly string[]> {
  const path = (file: string): string => {
    const near = relative(configDir, join(folder, file))
    return near.startsWith('..') ? join(folder, file) : near
  }
  const paths: CertPaths = {
    certificate: path('server.crt'),
    key: path('server.key'),
    authority: path('ca.crt'),
    revocations: path('ca.crl'),
  }
  const yaml = yamlPath(configDir)
  const lines = listenerLines(port, paths).map((line) => `  ${line}`)
  const text = (await findText(yaml)) ?? ''
  const user = listenerWith(text, paths)
  if (user !== undefined) return [`the listener ${user} uses it; a running Damselfly takes it by itself`]
  if (!isToBeWritten) return [`For damselfly.yaml (--listen writes it):`, ...lines]
  const next = withListener(text, port, paths)
  if (next === undefined)
    return [`not written, for ${yaml} has listeners or is no plain list of keys; add there:`, ...lines]
  const about = await statOf(yaml)
  await writeWhole(yaml, next, (about?.mode ?? 0o644) & 0o777, about?.gid)
  return [`wrote the listener "secure" on port ${port} into ${yaml}`]
}

function daysOf(text: string): number {
  const days = Number(text)
  if (/^\d{1,5}$/.test(text) && days >= 1 && days <= daysMax) return days
  throw new DamselflyError('USAGE', `--days ${text}: a number from 1 to ${daysMax}`)
}

function portOf(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port
  throw new DamselflyError('USAGE', `--listen ${text}: a port from 1 to 65535`)
}
