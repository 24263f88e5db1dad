import { ActionLibrary } from '../actions/catalogue.ts'
import { readSettings, type SettingsReading, type SettingsRequest } from '../config/read-settings.ts'
import { createCompiler } from '../rules/expressions.ts'

/** Reads the settings, each time anew; actions stay loaded in between. */
export interface SettingsReader {
  /** @throws ProblemsError with every mistake */
  read(): Promise<SettingsReading>
  /** Files of actions whose code has changed since it was loaded: only a restart brings the change. */
  changedActions(): Promise<readonly string[]>
}

/** @param where whose settings; those of the working directory unless told */
export function settingsReader(
  where: Pick<SettingsRequest, 'cwd' | 'environment'> = { cwd: process.cwd() },
): SettingsReader {
  const library = new ActionLibrary()
  const compiler = createCompiler()
  return {
    read: () =>
      readSettings({
        ...where,
        compiler,
        loadActions: (request) => library.load(request),
        isTerminal: process.stdout.isTTY === true,
      }),
    changedActions: () => library.changed(),
  }
}
