import { readSafeSettings } from '../config/read-safe-settings.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import { formatProblem } from '../core/problems.ts'
import { parseDuration } from '../core/units.ts'
import { type OutputsRecord, readOutputsRecord } from '../gpio/record.ts'
import { driveSafe, type SafeOutput, safeOutputs } from '../gpio/safe.ts'
import { chosenHouse } from './chosen-house.ts'
import { exitCodes } from './exit-codes.ts'

/**
 * Drives every output to its `on_stop`: those that a daemon held last, by its own record, and those in the
 * configuration that it did not hold. A mistake in the configuration does not keep the others from being driven.
 * @throws DamselflyError `USAGE`, and when there is no chip to drive
 */
export async function safe(options: { readonly hold: string }): Promise<void> {
  const holdMs = holdMsOf(options.hold)
  const { scalars, pins, problems } = await readSafeSettings({
    ...(await chosenHouse()),
    isTerminal: process.stdout.isTTY,
  })
  for (const problem of problems) console.error(`warning: ${formatProblem(problem)}\n`)
  const record = await readRecord(scalars.dataDir)
  const held = record?.outputs ?? []
  const outputs: SafeOutput[] = [
    ...held,
    ...safeOutputs(pins).filter(({ pin }) => !held.some((one) => one.pin === pin)),
  ]
  if (outputs.length === 0) return console.log('no output to drive')
  const { driven, failed, isSimulated } = await driveSafe({
    outputs,
    choice: record?.choice ?? scalars.gpioChip,
    ...(record === undefined ? {} : { label: record.chip.label }),
    holdMs,
    log: terminalLog,
  })
  if (isSimulated) console.log('simulated: this machine has no GPIO chip, no real line moved')
  console.log(`${driven.length} of ${outputs.length} outputs driven to on_stop`)
  if (failed.length > 0) process.exitCode = exitCodes.failed
}

function holdMsOf(text: string): number {
  try {
    return parseDuration(text)
  } catch (cause) {
    throw new DamselflyError('USAGE', `--hold: ${reasonOf(cause)}`, { cause })
  }
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
