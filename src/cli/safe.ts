import { readSafeScalars } from '../config/read-safe-scalars.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { formatProblem, type Problem } from '../core/problems.ts'
import { parseDuration } from '../core/units.ts'
import { openPwm } from '../gpio/open-pwm.ts'
import { type OutputsRecord, readOutputsRecord } from '../gpio/record.ts'
import { driveSafe, type SafeReport, safeOutputs } from '../gpio/safe.ts'
import { driveSafePulses, heldPulses, type SafePulse, safePulses } from '../gpio/safe-pwm.ts'
import { SimulatedPwm } from '../gpio/simulated-pwm.ts'
import { chosenHouse } from './chosen-house.ts'
import { exitCodes } from './exit-codes.ts'
import { reportFailure } from './report.ts'

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
  const reports: SafeReport[] = []
  const configured = once(async () => {
    // to load the YAML parser takes longer than all else
    const { readSafePins } = await import('../config/read-safe-pins.ts')
    const { pins, problems } = await readSafePins({ cwd: house.cwd, configDir: scalars.configDir })
    warn(problems)
    return pins
  })
  const lines = record?.outputs ?? []
  const channels = record?.pwm?.channels ?? []
  const held = new Set([...lines, ...channels].map(({ pin }) => pin))
  const notHeld = <One extends { readonly pin: string }>(all: readonly One[]): One[] =>
    all.filter(({ pin }) => !held.has(pin))
  const choice = record?.choice ?? scalars.gpioChip
  const drivePulses = async (pulses: readonly SafePulse[], pwmDir?: string): Promise<void> => {
    if (pulses.length === 0) return
    const pwm =
      pwmDir === 'simulated'
        ? new SimulatedPwm()
        : openPwm({ choice, log: terminalLog, ...(pwmDir === undefined ? {} : { pwmDir }) })
    reports.push(await driveSafePulses(pwm, pulses, terminalLog))
  }
  const pulses = drivePulses(heldPulses(channels), record?.pwm?.dir) // the lines are not to wait for these
  try {
    reports.push(
      await driveSafe({
        outputs: lines,
        more: async () => notHeld(safeOutputs(await configured())),
        choice,
        ...(record === undefined || record.chip.label === '' ? {} : { label: record.chip.label }),
        holdMs,
        log: terminalLog,
      }),
    )
  } finally {
    await pulses
    await drivePulses(notHeld(safePulses(await configured())), scalars.pwmDir) // whatever became of the lines
  }
  tell(reports)
}

function tell(reports: readonly SafeReport[]): void {
  const driven = reports.flatMap((report) => report.driven).length
  const failed = reports.flatMap((report) => report.failed).length
  if (driven + failed === 0) return console.log('no output to drive')
  if (reports.some(({ isSimulated }) => isSimulated))
    console.log('simulated: this machine has no GPIO chip, no real line moved')
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
