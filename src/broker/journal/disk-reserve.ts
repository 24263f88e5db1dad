import { rm, stat, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const fileName = 'reserve'
/** Enough for LevelDB to write its log down and open, a few times over. */
const reserveBytes = 2 * 1024 * 1024
/** A reserve is no use where it is itself what fills the disk. */
const freeBytesMin = 10 * reserveBytes

/** In parts: so much at once would stay in the process's memory for good. */
function* zeros(): Iterable<Uint8Array> {
  const part = new Uint8Array(64 * 1024)
  for (let bytes = 0; bytes < reserveBytes; bytes += part.length) yield part
}

/**
 * Some room on the disk of the data folder that nobody else can take: given up when the disk is full, so that the store
 * opens and the house starts all the same.
 */
export class DiskReserve {
  readonly #path: string
  readonly #dataDir: string

  constructor(dataDir: string) {
    this.#dataDir = dataDir
    this.#path = join(dataDir, fileName)
  }

  /** Makes it, unless it is there or the disk has little room. Never rejects: it may do without. */
  async keep(): Promise<void> {
    try {
      const size = await stat(this.#path).then(
        (file) => file.size,
        () => 0,
      )
      const { bavail, bsize } = await statfs(this.#dataDir)
      if (size === reserveBytes || bavail * bsize < freeBytesMin) return
      await writeFile(this.#path, zeros())
    } catch {
      await rm(this.#path, { force: true }).catch(() => {})
    }
  }

  /** @returns whether there was one to give up */
  async giveUp(): Promise<boolean> {
    try {
      await rm(this.#path)
      return true
    } catch {
      return false
    }
  }
}
