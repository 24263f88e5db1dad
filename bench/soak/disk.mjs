// A small disk of the soak's own, which can be filled: an ext4 in a file, mounted where nobody else sees it.
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, rm, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const diskMib = 256
const pieceBytes = 1_024 * 1_024

/** Whether this process may mount, and what it mounts is seen by nobody else. */
const isPrivate = process.env.SOAK_NAMESPACE !== undefined

/**
 * Starts this program anew where what it mounts goes with it. Only root can.
 * @returns whether there is nothing more to do: the other one has done it
 */
export async function playedInNamespace() {
  if (isPrivate || process.getuid() !== 0) return false
  if (spawnSync('unshare', ['--mount', 'true']).status !== 0) return false
  const argv = ['--mount', process.execPath, ...process.argv.slice(1)]
  const env = { ...process.env, SOAK_NAMESPACE: '1' }
  const child = spawn('unshare', argv, { stdio: 'inherit', env })
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal))
  const [code] = await once(child, 'exit')
  process.exitCode = code ?? 1
  return true
}

/** @returns { folder, fill, clear, canBeFilled }; without the right to mount the folder is a plain one */
export async function smallDisk(folder) {
  const at = join(folder, 'disk')
  const ballast = join(at, 'ballast')
  await mkdir(at)
  const canBeFilled = isPrivate && (await mount(folder, at))
  return {
    folder: at,
    canBeFilled,
    /** To the last block. */
    fill: () => fill(at, ballast),
    clear: () => rm(ballast, { force: true }),
    unmount: async () => {
      if (canBeFilled) await run('umount', ['--lazy', at])
    },
  }
}

async function mount(folder, at) {
  const image = join(folder, 'disk.img')
  try {
    await run('truncate', ['--size', `${diskMib}M`, image])
    await run('mkfs.ext4', ['-q', '-m', '0', image])
    await run('mount', ['-o', 'loop', image, at])
    return true
  } catch {
    return run('mount', ['-t', 'tmpfs', '-o', `size=${diskMib}m`, 'soak', at]).then(
      () => true,
      () => false,
    )
  }
}

async function fill(at, ballast) {
  const handle = await open(ballast, 'a')
  try {
    for (let bytes = pieceBytes; bytes >= 512; ) {
      const { bytesWritten } = await handle.write(Buffer.alloc(bytes)).catch((error) => {
        if (error.code !== 'ENOSPC') throw error
        return { bytesWritten: 0 }
      })
      if (bytesWritten < bytes) bytes = Math.floor(bytes / 2)
    }
    await handle.sync().catch(() => {}) // what was promised and is not there is what this is about
  } finally {
    await handle.close()
  }
  const { bavail, bsize } = await statfs(at)
  return bavail * bsize
}
