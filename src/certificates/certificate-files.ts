import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'

/** Whose the files are that the daemon reads. */
export interface Readership {
  readonly gid: number
  /** Whether that group may read the server's key: as a service, the daemon runs as another user than the owner. */
  readonly mayReadKey: boolean
}

/** The PEM text of a new P-256 key, in PKCS #8. */
export function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** @throws DamselflyError `CONFIG_INVALID` when it is not there, or no certificate */
export async function readCertificate(path: string): Promise<X509Certificate> {
  const certificate = await findCertificate(path)
  if (certificate === undefined) throw invalid(`there is no ${path}`)
  return certificate
}

/** Undefined when there is no such file. @throws DamselflyError `CONFIG_INVALID` when it is no certificate */
export async function findCertificate(path: string): Promise<X509Certificate | undefined> {
  const text = await findText(path)
  if (text === undefined) return undefined
  try {
    return new X509Certificate(text)
  } catch (cause) {
    throw invalid(`${path} is not a certificate: ${reasonOf(cause)}`, cause)
  }
}

/** Undefined when there is no such file. @throws DamselflyError `CONFIG_INVALID` when it is no P-256 key */
export async function findKey(path: string): Promise<string | undefined> {
  const text = await findText(path)
  if (text === undefined) return undefined
  let type: string | undefined
  try {
    const key = createPrivateKey(text)
    type = key.asymmetricKeyDetails?.namedCurve
  } catch (cause) {
    throw invalid(`${path} is not a private key: ${reasonOf(cause)}`, cause)
  }
  if (type !== 'prime256v1')
    throw invalid(`${path} is no key of the curve P-256: move it away to get a new one`)
  return text
}

/** @throws DamselflyError `CONFIG_INVALID` when it cannot be read */
export async function findText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined
    throw invalid(`${path} cannot be read: ${reasonOf(cause)}${remedyFor(cause)}`, cause)
  }
}

/** The names of the files in a folder; none when there is no such folder. */
export async function filesIn(folder: string, ending: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith(ending)).sort()
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return []
    throw invalid(`${folder} cannot be read: ${reasonOf(cause)}${remedyFor(cause)}`, cause)
  }
}

/**
 * Writes a file in one step: whoever reads it finds what was there or what is new, also after a power cut. It has this
 * mode from its first byte on.
 * @throws DamselflyError `CONFIG_INVALID`
 */
export async function writeWhole(path: string, text: string, mode: number, gid?: number): Promise<void> {
  const next = `${path}.${randomBytes(4).toString('hex')}.new`
  try {
    await using file = await open(next, 'wx', 0o600)
    if (gid !== undefined && (await file.stat()).gid !== gid) await file.chown(-1, gid).catch(forgiven)
    await file.chmod(mode)
    await file.writeFile(text)
    await file.sync()
    await rename(next, path)
    await syncFolder(dirname(path))
  } catch (cause) {
    await rm(next, { force: true })
    throw invalid(`${path} cannot be written: ${reasonOf(cause)}${remedyFor(cause)}`, cause)
  }
}

/** Makes a folder if there is none, which the group may look into. @throws DamselflyError `CONFIG_INVALID` */
export async function makeFolder(path: string, mode: number, gid?: number): Promise<void> {
  try {
    if (await isFolder(path)) return
    await mkdir(path, { recursive: true, mode: 0o700 })
    const folder = await open(path, 'r')
    try {
      if (gid !== undefined) await folder.chown(-1, gid).catch(forgiven)
    } finally {
      await folder.close()
    }
    await chmod(path, mode)
  } catch (cause) {
    throw invalid(`${path} cannot be made: ${reasonOf(cause)}${remedyFor(cause)}`, cause)
  }
}

export function invalid(message: string, cause?: unknown): DamselflyError {
  return new DamselflyError('CONFIG_INVALID', message, { cause })
}

/** Where the file may not be given to the group, it stays the owner's: nobody reads what he may not. */
function forgiven(error: unknown): void {
  if (errnoOf(error) !== 'EPERM') throw error
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(join(path, '.'))).isDirectory()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function remedyFor(cause: unknown): string {
  return ['EACCES', 'EPERM'].includes(errnoOf(cause) ?? '') ? '; use sudo' : ''
}
