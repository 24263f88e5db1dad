import type { SettingsReading } from '../config/read-settings.ts'
import type { FileWatch } from '../config/watch-files.ts'
import type { SettingsReader } from './settings-reader.ts'

/** Then they are taken as they are: a stop waits for a reload, and for each of these two seconds at most. */
const readsMax = 3

/**
 * The settings for a reload. An editor empties a file and fills it, so that one which is read in between has no pins, no
 * users or no rights: nothing is taken that was written to while it was read.
 * @param watching the files; undefined when nothing is watched
 * @throws ProblemsError with every mistake
 */
export async function readWhole(
  reader: SettingsReader,
  watching: FileWatch | undefined,
): Promise<SettingsReading> {
  for (let readsLeft = readsMax; ; readsLeft--) {
    await watching?.note() // a file that was saved before SIGHUP came is read once
    const reading = reader.read()
    await reading.catch(() => {}) // for the one that counts
    if (readsLeft <= 1 || (await watching?.hasChanged()) !== true) return reading
  }
}
