import { once } from 'node:events'
import { chmod, lstat, mkdtemp, rename, rm } from 'node:fs/promises'
import { createConnection, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { DamselflyError, errnoOf } from './errors.ts'

/** Bytes of a socket's path: `sun_path` without its end; unix(7). */
const pathBytesMax = 107

/** Of the control socket, which lies in the data folder. */
const controlRemedy = 'set DATA_DIR to a shorter one'

/**
 * Makes a server listen on a socket file that only those may use whom its mode lets, from the moment at which it is
 * there: it is made in a folder that is closed to others, and moved when its mode is right.
 * What a daemon left behind that is no more is replaced.
 *
 * @param mode the file's permissions; its user's and its group's unless told
 * @param remedy what the owner does when the path is too long; the control socket's unless told
 * @returns removes the file, unless another one stands there by now
 * @throws DamselflyError `ADDRESS_IN_USE` when somebody listens there, `ADDRESS_UNAVAILABLE`; errors of the file system
 */
export async function listenAt(
  server: Server,
  path: string,
  mode: number = 0o660,
  remedy: string = controlRemedy,
): Promise<() => Promise<void>> {
  const problem = pathProblem(path, remedy)
  if (problem !== undefined) throw new DamselflyError('ADDRESS_UNAVAILABLE', problem)
  await refuseTaken(path)
  const folder = await mkdtemp(join(dirname(path), '.c'))
  try {
    const temporary = join(folder, 's') // not longer than the path itself
    server.listen(temporary)
    await once(server, 'listening')
    await chmod(temporary, mode)
    const { ino } = await lstat(temporary)
    await rename(temporary, path)
    return async () => {
      const found = await lstatOrNothing(path)
      if (found?.ino === ino) await rm(path, { force: true })
    }
  } catch (error) {
    server.close()
    throw error
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Why no socket can be there, or undefined when one can. */
export function pathProblem(path: string, remedy: string = controlRemedy): string | undefined {
  const bytes = Buffer.byteLength(path)
  if (bytes <= pathBytesMax) return undefined
  return `${path} has ${bytes} bytes, and the path of a socket has at most ${pathBytesMax}; ${remedy}`
}

async function refuseTaken(path: string): Promise<void> {
  const found = await lstatOrNothing(path)
  if (found === undefined) return
  if (!found.isSocket())
    throw new DamselflyError('ADDRESS_UNAVAILABLE', `${path} is there and is no socket; move it away`)
  const errno = await knock(path)
  if (errno === 'ECONNREFUSED' || errno === 'ENOENT') return // nobody is there any more
  const who = errno === undefined ? 'somebody' : `somebody (${errno})`
  throw new DamselflyError('ADDRESS_IN_USE', `${who} listens on ${path}`)
}

/** @returns the system's error name, or undefined when somebody opened */
function knock(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', (error) => resolve(errnoOf(error) ?? 'unknown'))
  })
}

async function lstatOrNothing(path: string) {
  try {
    return await lstat(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
