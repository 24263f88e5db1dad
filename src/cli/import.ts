import { hostname } from 'node:os'
import { readSafeScalars } from '../config/read-safe-scalars.ts'
import { DamselflyError } from '../core/errors.ts'
import { setLimits } from '../core/limits.ts'
import { Secret } from '../core/secret.ts'
import { settingsReader } from '../daemon/settings-reader.ts'
import { readMosquittoConf } from '../moving/mosquitto-conf.ts'
import type { Move } from '../moving/move.ts'
import { translate } from '../moving/translate.ts'
import { chosenHouse } from './chosen-house.ts'
import { exitCodes } from './exit-codes.ts'
import { type Credentials, sourceDoor } from './import-doors.ts'
import { isKept, type PlannedFile, planFiles, writeFiles } from './import-files.ts'
import { countWaitMsOf } from './import-missing.ts'
import { copyReport, importJson, importReport } from './import-report.ts'
import { reportWarnings } from './report.ts'
import { paintFor } from './terminal.ts'

export interface ImportOptions {
  readonly username?: string
  readonly password?: string
  readonly dryRun?: boolean
  readonly json?: boolean
  readonly switch?: boolean
  /** With `switch`: what the user cannot see is left behind. */
  readonly retainedAsSeen?: boolean
  /** False: leave retained messages where they are. */
  readonly retained?: boolean
}

/**
 * Moves in where mosquitto is: writes its configuration as ours, says what has no counterpart, and copies the retained
 * messages of the broker that runs; with `switch` Damselfly then takes its place.
 * @throws DamselflyError `USAGE`, `CONFIG_INVALID`, `STORE_FAILED`, `BROKER_UNREACHABLE`, `CONNECTION_REFUSED`,
 *   `SUBSCRIPTION_REFUSED`; with `switch` also `SERVICE_REFUSED` and `SERVICE_FAILED`
 */
export async function importMosquitto(file: string, options: ImportOptions): Promise<void> {
  const credentials = credentialsOf(options)
  if (options.retainedAsSeen === true && options.switch !== true)
    throw new DamselflyError('USAGE', '--retained-as-seen goes with --switch')
  const move = translate(await readMosquittoConf(file), hostname())
  if (options.switch === true && options.dryRun !== true) {
    if (options.retained === false || options.json === true)
      throw new DamselflyError(
        'USAGE',
        '--switch goes with --username, --password, --retained-as-seen and --dry-run alone',
      )
    const { switchOver } = await import('./import-switch.ts')
    const { retainedAsSeen = false } = options
    return await switchOver({ file, move, credentials, retainedAsSeen, print: (line) => console.log(line) })
  }
  const house = await chosenHouse()
  const { scalars } = await readSafeScalars({ ...house, isTerminal: false })
  const target = { cwd: house.cwd, configDir: scalars.configDir }
  const planned = await planFiles(move, target, file)
  if (options.json === true) console.log(JSON.stringify(importJson(move), undefined, 2))
  else console.log(importReport(move, paintFor(process.stdout)).join('\n'))
  if (options.dryRun === true) {
    if (options.json !== true)
      console.log(['', ...planned.map(wouldWrite), 'Nothing was written: --dry-run.'].join('\n'))
    return
  }
  const say = (line: string): void => (options.json === true ? console.error(line) : console.log(line))
  say('')
  for (const line of await writeFiles(planned, target)) say(line)
  const { settings, warnings } = await settingsReader(house).read()
  reportWarnings(warnings)
  setLimits(settings.limits)
  if (options.retained !== false) await copyRetained(move, credentials, settings.dataDir, say)
  say('')
  say('Sessions are not copied: clients subscribe again when they connect.')
  say(`Take mosquitto's place with: sudo damselfly import ${file} --switch`)
}

function credentialsOf({ username, password }: ImportOptions): Credentials | undefined {
  if (username !== undefined) return { username, password: new Secret(password ?? '') }
  if (password === undefined) return undefined
  throw new DamselflyError('USAGE', '--password needs --username beside it')
}

function wouldWrite(file: PlannedFile): string {
  return isKept(file) ? `would change ${file.path}` : `would write ${file.path}`
}

async function copyRetained(
  move: Move,
  credentials: Credentials | undefined,
  dataDir: string,
  say: (line: string) => void,
): Promise<void> {
  const door = sourceDoor(move.doors)
  const { openImportStore } = await import('./import-store.ts')
  const { RetainedCopy } = await import('./import-retained.ts')
  const store = await openImportStore(dataDir)
  try {
    const copy = await RetainedCopy.begin({
      door,
      credentials,
      store,
      queueMessagesMax: move.queueMessagesMax,
      countWaitMs: countWaitMsOf(move),
    })
    await copy.close()
    for (const line of copyReport(copy, credentials)) say(line)
  } catch (error) {
    if (!(error instanceof DamselflyError)) throw error
    say(`No retained messages were copied. ${error.message}`)
    say('When mosquitto runs, the same command copies them; the settings are there already.')
    process.exitCode = exitCodes.failed
  } finally {
    await store.close()
  }
}
