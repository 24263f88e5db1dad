import { mkdir, stat } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'

/**
 * Makes the data folder if need be, and sees to it that one Damselfly uses it: without a store of its own nothing
 * else does. The lock is a socket in the kernel's abstract namespace (unix(7)), named after the folder itself and not
 * its path; it goes with the process, however that ends.
 * @throws DamselflyError `STORE_FAILED`
 */
export async function lockDataDir(dataDir: string): Promise<{ release(): Promise<void> }> {
  const server = createServer((socket) => socket.destroy())
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o750 })
    const { dev, ino } = await stat(dataDir)
    await listen(server, `\0damselfly-data-${dev}-${ino}`)
  } catch (cause) {
    throw new DamselflyError('STORE_FAILED', `cannot use ${dataDir}: ${obstacleOf(cause)}`, { cause })
  }
  return {
    release: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

function listen(server: Server, name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(name, () => {
      server.off('error', reject)
      server.on('error', () => {}) // who knocks here is sent away anyhow
      server.unref()
      resolve()
    })
  })
}

function obstacleOf(cause: unknown): string {
  return errnoOf(cause) === 'EADDRINUSE'
    ? 'another Damselfly uses it; stop that one (systemctl stop damselfly) or set another DATA_DIR in .env'
    : `${reasonOf(cause)}; set DATA_DIR in .env to a folder that can be written`
}
