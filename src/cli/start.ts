import type { Settings } from '../config/settings.ts'
import { mainListener, shownPlaces } from '../core/listener.ts'
import { formatPlace, formatProblem, type Problem } from '../core/problems.ts'
import { linkInWords } from '../core/remote-broker.ts'
import { suggestedCredentials } from '../core/suggested-credentials.ts'
import { settingsReader } from '../daemon/settings-reader.ts'
import { version } from '../daemon/version.ts'
import { Daemon, type DaemonState } from '../daemon.ts'
import { isJournalStream, priorities, withPriority } from '../system/journal-stream.ts'
import { Lan } from '../system/lan.ts'
import { createLog, type ProcessLog } from '../system/log.ts'
import { findServiceManager } from '../system/service-manager.ts'
import { exitCodes } from './exit-codes.ts'
import { isForeign } from './foreign-error.ts'
import { reportFailure, reportWarnings } from './report.ts'
import { namesInWords, startBlock } from './start-block.ts'

const stopMsMax = 15_000
/** For a line of the log to be written: `pretty` does not write it at once. */
const logMs = 50

/**
 * Runs the daemon until it is told to stop; resolves then.
 * @throws ProblemsError for mistakes in the configuration, DamselflyError for what could not be had
 */
export async function start(): Promise<void> {
  const reader = settingsReader()
  const { settings, warnings } = await reader.read()
  reportWarnings(warnings, printAt(priorities.warn))
  const { logLevel: level, logFormat: format } = settings
  const log = await createLog({ level, format, journalStream: process.env['JOURNAL_STREAM'] })
  const manager = await findServiceManager(process.env, log)
  await using lan = new Lan({ log })
  await lan.start()
  const onReady = (state: DaemonState): void => tellReady(state, lan.identity.host, log)
  const tellProblems = problemTeller(settings.logFormat, log)
  const daemon = new Daemon({ settings, reader, log, lan, manager, tellProblems, onReady })
  guardProcess(daemon, log)
  const stopped = untilSignal(daemon, log)
  await daemon.start()
  log.info({ signal: await stopped }, 'stopping')
  killLater(log)
  await daemon.stop()
  // an action may have left a timer or a server behind: they keep nobody alive
  setTimeout(() => process.exit(exitCodes.ok), 0).unref()
}

/** As `start`, with its failure reported. */
export async function startNow(): Promise<void> {
  try {
    await start()
  } catch (error) {
    reportFailure(error, printAt(priorities.error))
  }
}

/** To standard error; with its priority where that is the journal. */
function printAt(priority: number): (text: string) => void {
  const isJournal = isJournalStream(2, process.env['JOURNAL_STREAM'])
  return (text) => console.error(isJournal ? withPriority(text, priority) : text)
}

/** A stop has its time limits; this is for what has none. systemd would do it too, after `TimeoutStopSec=`. */
function killLater(log: ProcessLog): void {
  const kill = (): void => killNow(log, { timeoutMs: stopMsMax }, 'the stop takes too long: killed')
  setTimeout(kill, stopMsMax).unref()
}

/** @NOTE `process.exit` waits for threads, of which one may wait for a disk that does not answer; a signal does not. */
function killNow(log: ProcessLog, fields: object, message: string): void {
  log.error(fields, message)
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), logMs)
}

/** For people the code frame, as `damselfly check` shows it; for programs a line with fields. */
function problemTeller(
  format: Settings['logFormat'],
  log: ProcessLog,
): (problems: readonly Problem[]) => void {
  if (format === 'pretty')
    return (problems) => {
      if (problems.length > 0) console.error(`\n${problems.map(formatProblem).join('\n\n')}\n`)
    }
  return (problems) => {
    for (const problem of problems) {
      if (problem.isWarning) log.warn(fieldsOf(problem), 'doubt about the configuration')
      else log.error(fieldsOf(problem), 'mistake in the configuration')
    }
  }
}

/** A problem as fields of a log line. */
function fieldsOf({ place, message, found, expected, suggestion }: Problem): Record<string, string> {
  return {
    at: formatPlace(place),
    problem: message,
    ...(found === undefined ? {} : { found }),
    ...(expected === undefined ? {} : { expected }),
    ...(suggestion === undefined ? {} : { suggestion }),
  }
}

function tellReady(state: DaemonState, host: string, log: ProcessLog): void {
  const { settings, addresses, listeners = [], pending, link, pins } = state
  const others = listeners.filter(({ name }) => name !== mainListener).flatMap(shownPlaces)
  if (settings.logFormat === 'pretty') return void process.stdout.write(`${startBlock(state, host)}\n`)
  const fields = {
    version: version(),
    host,
    ...(link === undefined
      ? {
          addresses,
          port: settings.port,
          ...(others.length > 0 ? { others } : {}),
          ...(pending.length > 0 ? { pending } : {}),
        }
      : { broker: linkInWords(link) }),
    pins: pins.pins.map(({ name }) => name),
    chip: pins.chip?.path,
    rules: settings.rules.map(({ name }) => name),
    ...(link === undefined ? { lanClients: lanClients(settings) } : {}),
  }
  log.info(fields, 'ready')
}

function lanClients(settings: Settings): string {
  if (settings.allowAnonymous === 'everyone') return 'all, without a password'
  const names = namesInWords(settings)
  if (names !== undefined) return `as ${names}`
  return `none; to let them in, damselfly user add NAME, or put two lines into .env: ${suggestedCredentials().join(' and ')}`
}

/** Resolves with the signal that ends the daemon; a second one ends the process at once. */
function untilSignal(daemon: Daemon, log: ProcessLog): Promise<NodeJS.Signals> {
  process.on('SIGHUP', () => void daemon.reload())
  return new Promise((resolve) => {
    let isStopping = false
    const stop = (signal: NodeJS.Signals): void => {
      if (isStopping) return killNow(log, { signal }, 'a second signal: killed')
      isStopping = true
      resolve(signal)
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
  })
}

/**
 * What is thrown behind everybody's back: out of the code of a user's action it is logged and survived, for
 * an action must not end the daemon; out of our own it ends the process, and the service manager begins anew.
 */
function guardProcess(daemon: Daemon, log: ProcessLog): void {
  const onError = (err: unknown): void => {
    if (isForeign(err)) return log.error({ err }, 'an action failed outside of its run')
    process.exitCode = exitCodes.failed
    killLater(log)
    log.error({ err }, 'unexpected failure: stopping')
    void daemon.stop().finally(() => process.exit(exitCodes.failed))
  }
  process.on('uncaughtException', onError)
  process.on('unhandledRejection', onError)
}
