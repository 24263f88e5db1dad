import { setTimeout as sleep } from 'node:timers/promises'
import { Counters } from '../core/counters.ts'
import { DamselflyError, reasonOf } from '../core/errors.ts'
import type { LineChoice, Pin, PinState } from '../core/pin.ts'
import type { Logger } from '../core/ports.ts'
import { describeLine, type GpioChip, type OutputLine } from './chip.ts'
import { resolveLine } from './lines.ts'
import { openChip } from './open-chip.ts'
import { simulatedLabel } from './simulated-chip.ts'

/** An output to be driven: a configured one (`safeOutputs`), or a held one from the record. */
export interface SafeOutput {
  readonly pin: string
  readonly line: LineChoice
  /** The line's number on the chip when it was held; used if the line there is still called the same. */
  readonly offset?: number
  readonly isActiveLow: boolean
  readonly onStop: PinState
}

export interface DriveSafeOptions {
  readonly outputs: readonly SafeOutput[]
  /** Finds more outputs; called when `outputs` are driven, while they are held. */
  readonly more?: () => Promise<readonly SafeOutput[]>
  /** As `GPIO_CHIP`. */
  readonly choice: string
  /** The label that the chip must have, from the record: lines of another chip are not touched. */
  readonly label?: string
  /** How long to hold the lines; some kernels let a line go when it is released. */
  readonly holdMs: number
  readonly log: Logger
  /** `/dev` unless told. */
  readonly deviceDir?: string
}

export interface SafeReport {
  readonly isSimulated: boolean
  /** Pins that are at `on_stop` now. */
  readonly driven: readonly string[]
  /** Pins that are not, and why; each has been logged. */
  readonly failed: readonly SafeFailure[]
}

export interface SafeFailure {
  readonly pin: string
  readonly reason: string
}

/**
 * Drives every output to its `on_stop`, without a daemon, and holds the lines for `holdMs`. A line that
 * cannot be had (a running daemon holds it) is logged and does not keep the others from being driven.
 * Without outputs, and more of them, it does nothing, and opens nothing.
 * @throws DamselflyError when there is no chip to drive: `GPIO_NO_CHIP`, `GPIO_DENIED`, `GPIO_FAILED`
 */
export async function driveSafe(options: DriveSafeOptions): Promise<SafeReport> {
  const { log, holdMs } = options
  const more = async () => (await options.more?.()) ?? []
  const isMoreDue = options.outputs.length > 0
  const outputs = isMoreDue ? options.outputs : await more()
  if (outputs.length === 0) return { isSimulated: false, driven: [], failed: [] }
  const chip = await openChip({ ...options, counters: new Counters() })
  const lines: OutputLine[] = []
  const driven: string[] = []
  const failed: SafeFailure[] = []
  const drive = (output: SafeOutput): void => {
    try {
      const offset = offsetOf(chip, output)
      lines.push(
        chip.requestOutput(offset, { isActiveLow: output.isActiveLow, value: output.onStop === 'on' }),
      )
      driven.push(output.pin)
      log.info(
        { pin: output.pin, line: describeLine(chip, offset), state: output.onStop },
        'pin driven to on_stop',
      )
    } catch (error) {
      failed.push({ pin: output.pin, reason: reasonOf(error) })
      log.error({ pin: output.pin, reason: reasonOf(error) }, 'pin not driven to on_stop')
    }
  }
  try {
    checkLabel(chip, options.label)
    for (const output of outputs) drive(output)
    if (isMoreDue) for (const output of await more()) drive(output)
    if (lines.length > 0 && holdMs > 0) await sleep(holdMs)
  } finally {
    for (const line of lines) line.release()
    await chip.close()
  }
  return { isSimulated: chip.isSimulated, driven, failed }
}

/** The configured outputs, for `driveSafe` when there is no record. */
export function safeOutputs(pins: readonly Pin[]): SafeOutput[] {
  return pins
    .filter((pin) => pin.direction === 'out')
    .map(({ name, line, isActiveLow, onStop }) => ({ pin: name, line, isActiveLow, onStop }))
}

function checkLabel(chip: GpioChip, label: string | undefined): void {
  // what was simulated was held on no chip
  if (label === undefined || label === chip.label || label === simulatedLabel) return
  throw new DamselflyError(
    'GPIO_NO_CHIP',
    `the outputs were held on a chip "${label}", but ${chip.path} is "${chip.label}": nothing was driven`,
  )
}

function offsetOf(chip: GpioChip, { line, offset }: SafeOutput): number {
  if (offset !== undefined && chip.lineNames[offset] === line) return offset
  return resolveLine(chip, line)
}
