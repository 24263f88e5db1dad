import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf } from '../core/errors.ts'

/** Files that were changed more lately may still be written to. */
const settledMs = 100
/** Who writes to them for longer is not waited for. */
const settlingMsMax = 2_000

export interface WatchOptions {
  /** How long the files must be quiet; 200 unless told. */
  readonly quietMs?: number
  /** How often a folder that is not there is looked for; 5,000 unless told. */
  readonly retryMs?: number
}

export interface FileWatch extends AsyncDisposable {
  /**
   * The files are about to be read as they are now: that they are so is no change to tell any more. Waits first until
   * nobody has written to them for 100 ms, two seconds at most: who saves a file may empty it before he fills it.
   */
  note(): Promise<void>
  /** Whether they are otherwise than at the last `note`: what was read since may be half of it. */
  hasChanged(): Promise<boolean>
  /** Resolves when `onChange` is called no more. A second call does nothing. */
  close(): Promise<void>
}

/**
 * Calls `onChange` when one of the files has come, gone or changed, and all have been quiet since. It watches
 * their folders, so a file that an editor replaces by renaming is still watched afterwards. Folders may be
 * missing: they are looked for again. Keeps no process alive.
 *
 * @param files absolute
 * @param onChange must not throw
 */
export async function watchFiles(
  files: readonly string[],
  onChange: () => void,
  options: WatchOptions = {},
): Promise<FileWatch> {
  const watcher = new FilesWatcher(files, onChange, options)
  await watcher.start()
  return watcher
}

class FilesWatcher implements FileWatch {
  readonly #files: readonly string[]
  readonly #onChange: () => void
  readonly #quietMs: number
  readonly #retryMs: number
  readonly #folders = new Map<string, FSWatcher>()
  #seen = ''
  #quiet: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(files: readonly string[], onChange: () => void, options: WatchOptions) {
    this.#files = files
    this.#onChange = onChange
    this.#quietMs = options.quietMs ?? 200
    this.#retryMs = options.retryMs ?? 5_000
  }

  async start(): Promise<void> {
    this.#watchFolders()
    this.#seen = (await this.#look()).marks
  }

  async note(): Promise<void> {
    const deadlineMs = performance.now() + settlingMsMax
    for (;;) {
      const { marks, changedMs } = await this.#look()
      this.#seen = marks
      const ageMs = Date.now() - changedMs // below 0 after the clock was set back: of no use
      if (ageMs < 0 || ageMs >= settledMs || performance.now() > deadlineMs) return
      await sleep(settledMs - ageMs)
    }
  }

  async hasChanged(): Promise<boolean> {
    return (await this.#look()).marks !== this.#seen
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#quiet)
    clearTimeout(this.#retry)
    for (const watcher of this.#folders.values()) watcher.close()
    this.#folders.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #watchFolders(): void {
    for (const folder of new Set(this.#files.map(dirname))) {
      if (this.#folders.has(folder)) continue
      try {
        const watcher = watch(folder, { persistent: false })
        this.#folders.set(folder, watcher)
        watcher.on('change', (_, name) => this.#onEvent(folder, typeof name === 'string' ? name : undefined))
        watcher.on('error', () => this.#forget(folder))
      } catch {
        this.#retryLater() // not there yet, or the system's watches are used up
      }
    }
  }

  #onEvent(folder: string, name: string | undefined): void {
    // inotify(7): a folder that is itself removed or renamed says so under its own name, and then no more
    if (name === basename(folder)) this.#forget(folder)
    const isOurs =
      name === undefined || this.#files.some((file) => dirname(file) === folder && basename(file) === name)
    if (isOurs) this.#compareSoon()
  }

  #forget(folder: string): void {
    this.#folders.get(folder)?.close()
    this.#folders.delete(folder)
    if (!this.#isClosed) this.#watchFolders()
    this.#compareSoon()
  }

  #retryLater(): void {
    if (this.#isClosed || this.#retry !== undefined) return
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#watchFolders()
      this.#compareSoon()
    }, this.#retryMs).unref()
  }

  #compareSoon(): void {
    if (this.#isClosed) return
    clearTimeout(this.#quiet)
    this.#quiet = setTimeout(() => void this.#compare(), this.#quietMs).unref()
  }

  // an event alone is no change: reading a file's folder makes events as well
  async #compare(): Promise<void> {
    const { marks } = await this.#look()
    if (this.#isClosed || marks === this.#seen) return
    this.#seen = marks
    this.#onChange()
  }

  /** How the files are, and when one of them was last changed, in milliseconds since 1970. */
  async #look(): Promise<{ readonly marks: string; readonly changedMs: number }> {
    let changedMs = Number.NEGATIVE_INFINITY
    const marks = this.#files.map(async (file) => {
      try {
        const { ino, size, mtimeNs, ctimeMs, mode } = await stat(file, { bigint: true })
        changedMs = Math.max(changedMs, Number(ctimeMs)) // also of one that was renamed to it
        return `${ino} ${size} ${mtimeNs} ${mode}`
      } catch (error) {
        return errnoOf(error) ?? 'unreadable'
      }
    })
    return { marks: (await Promise.all(marks)).join('\n'), changedMs }
  }
}
