import { type FileHandle, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'

/** Of a file that is new: readable by whoever runs the daemon, by its group. */
const newMode = 0o640
/** Another command holds the file for a moment; one that was killed would hold it for ever. */
const heldMsMax = 5_000

/**
 * Writes a file anew, in one step: whoever reads it finds the old text or the new one, also after a power cut. It keeps its
 * owner, group and mode, and is itself kept when nothing changes; a new one has the owner and the group of `model`, and mode 0640.
 * Two that change it at the same time come one after the other.
 *
 * @param change gets undefined when there is no such file; what it throws leaves everything as it was
 * @throws DamselflyError `CONFIG_INVALID` when it cannot be read or written
 */
export async function changeFile(
  path: string,
  change: (before: string | undefined) => string,
  model = dirname(path),
): Promise<void> {
  try {
    const target = await realTarget(path)
    const next = `${target}.new`
    const handle = await openAlone(next)
    try {
      const about = await statOf(target)
      const before = about === undefined ? undefined : await readFile(target, 'utf8')
      const text = change(before)
      if (text === before) return await rm(next)
      await takeOver(
        handle,
        about ?? (await statOf(model)) ?? (await stat(dirname(target))),
        about !== undefined,
      )
      await handle.writeFile(text)
      await handle.sync()
      await rename(next, target)
      await syncFolder(dirname(target))
    } catch (error) {
      await rm(next, { force: true })
      throw error
    } finally {
      await handle.close()
    }
  } catch (cause) {
    if (cause instanceof DamselflyError) throw cause
    if (errnoOf(cause) === 'ENOENT' && (await statOf(dirname(path))) === undefined)
      throw new DamselflyError('CONFIG_INVALID', `there is no folder ${dirname(path)}: damselfly init`, {
        cause,
      })
    const remedy = ['EACCES', 'EPERM'].includes(errnoOf(cause) ?? '') ? '; use sudo' : ''
    throw new DamselflyError('CONFIG_INVALID', `${path} cannot be changed: ${reasonOf(cause)}${remedy}`, {
      cause,
    })
  }
}

/** Where a symbolic link leads: the file behind it is renewed, and the link stays. */
async function realTarget(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return path
    throw error
  }
}

async function openAlone(path: string): Promise<FileHandle> {
  for (;;) {
    try {
      return await open(path, 'wx', 0o600)
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw error
      const about = await statOf(path)
      if (about !== undefined && Math.abs(Date.now() - about.mtimeMs) > heldMsMax)
        await rm(path, { force: true })
      else await sleep(50)
    }
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

interface Ownership {
  readonly uid: number
  readonly gid: number
  readonly mode: number
}

async function takeOver(handle: FileHandle, { uid, gid, mode }: Ownership, isOld: boolean): Promise<void> {
  const own = await handle.stat()
  try {
    if (own.uid !== uid || own.gid !== gid) await handle.chown(uid, gid)
  } catch (error) {
    if (isOld) throw error // whoever reads it now could not any more
  }
  await handle.chmod(isOld ? mode & 0o7777 : newMode) // the umask may have taken something away
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
