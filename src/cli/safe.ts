import { readSafeScalars } from '../config/read-safe-scalars.ts'
import type { Scalars } from '../config/scalars.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { formatProblem, type Problem } from '../core/problems.ts'
import { parseDuration } from '../core/units.ts'
import { type OutputsRecord, readOutputsRecord } from '../gpio/record.ts'
import { driveSafe, type SafeReport, safeOutputs } from '../gpio/safe.ts'
import { chosenHouse } from './chosen-house.ts'
import { exitCodes } from './exit-codes.ts'
import { reportFailure } from './report.ts'
import { whySimulated } from './why-simulated.ts'

/** As `safe`, at the process's edge: a failure is told, and sets the exit code. */
export async function safeNow(options: { readonly hold: string }): Promise<void> {
  try {
    await safe(options)
  } catch (error) {
    reportFailure(error)
  }
}

/**
 * Drives every output to its `on_stop`: first those that a daemon held last, by its own record, then those in the
 * configuration that it did not hold. A mistake in the configuration does not keep the others from being driven.
 * @throws DamselflyError `USAGE`, and when there is no chip to drive
 */
export async function safe(options: { readonly hold: string }): Promise<void> {
  const holdMs = holdMsOf(options.hold)
  const house = await chosenHouse()
  const { scalars, problems } = await readSafeScalars({ ...house, isTerminal: process.stdout.isTTY })
  warn(problems)
  const record = await readRecord(scalars.dataDir)
  const log = terminalLog
  const choice = record?.choice ?? scalars.gpioChip
  const held = new Set([...(record?.outputs ?? []), ...(record?.pwm?.channels ?? [])].map(({ pin }) => pin))
  const others = once(async () => {
    // to load the YAML parser takes longer than all else
    const { readSafePins } = await import('../config/read-safe-pins.ts')
    const { pins, problems } = await readSafePins({ cwd: house.cwd, configDir: scalars.configDir })
    warn(problems)
    return pins.filter(({ name }) => !held.has(name))
  })
  const lines = driveSafe({
    outputs: record?.outputs ?? [],
    more: async () => safeOutputs(await others()),
    choice,
    ...(record === undefined || record.chip.label === '' ? {} : { label: record.chip.label }),
    holdMs,
    log,
  })
  // neither is to wait for the other, and one that fails is not to keep the other from being driven
  const results = await Promise.allSettled([lines, driveChannels(record, log)])
  const pins = (await others()).filter((pin) => pin.direction === 'pwm')
  if (pins.length > 0) {
    const { drivePwmPins } = await pwmDriver()
    results.push(...(await Promise.allSettled([drivePwmPins(pins, { choice, log, ...pwmDirOf(scalars) })])))
  }
  for (const result of results) if (result.status === 'rejected') throw result.reason
  const reports = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  tell(reports, choice)
}

async function driveChannels(record: OutputsRecord | undefined, log: Logger): Promise<SafeReport> {
  if (record?.pwm === undefined) return { isSimulated: false, driven: [], failed: [] }
  const { driveHeldPwm } = await pwmDriver()
  return await driveHeldPwm(record.pwm, log)
}

const pwmDriver = () => import('../gpio/safe-pwm.ts')

function pwmDirOf({ pwmDir }: Scalars): { readonly pwmDir?: string } {
  return pwmDir === undefined ? {} : { pwmDir }
}

function tell(reports: readonly SafeReport[], choice: string): void {
  const driven = reports.flatMap((report) => report.driven).length
  const failed = reports.flatMap((report) => report.failed).length
  if (driven + failed === 0) return console.log('no output to drive')
  if (reports.some(({ isSimulated }) => isSimulated))
    console.log(`simulated: ${whySimulated(choice)}, no real line moved`)
  console.log(`${driven} of ${driven + failed} outputs driven to on_stop`)
  if (failed > 0) process.exitCode = exitCodes.failed
}

function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined
  return () => {
    made ??= make()
    return made
  }
}

function holdMsOf(text: string): number {
  try {
    return parseDuration(text)
  } catch (cause) {
    throw new DamselflyError('USAGE', `--hold: ${reasonOf(cause)}`, { cause })
  }
}

function warn(problems: readonly Problem[]): void {
  for (const problem of problems) console.error(`warning: ${formatProblem(problem)}\n`)
}

/** A damaged record is told, and the configuration serves instead. */
async function readRecord(dataDir: string): Promise<OutputsRecord | undefined> {
  try {
    return await readOutputsRecord(dataDir)
  } catch (error) {
    if (!(error instanceof DamselflyError)) throw error
    console.error(`warning: ${error.message}`)
    return undefined
  }
}

// In the journal and on a terminal alike: one line, words only.
const terminalLog: Logger = {
  debug() {},
  info: (fields, message) => console.log(`${message}: ${words(fields)}`),
  warn: (fields, message) => console.error(`warning: ${message}: ${words(fields)}`),
  error: (fields, message) => console.error(`${message}: ${words(fields)}`),
}

function words(fields: object): string {
  return Object.entries(fields)
    .map(([key, value]) => `${key} ${value instanceof Error ? reasonOf(value) : value}`)
    .join(', ')
}
