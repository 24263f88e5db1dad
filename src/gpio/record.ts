import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import type { PinState } from '../core/pin.ts'
import type { PulseForm } from './pwm.ts'
import { writeWhole } from './write-whole.ts'

const fileName = 'outputs.json'
const version = 1

/** A line that is driven, as `damselfly safe` needs to know it. */
export interface HeldLine {
  readonly pin: string
  /** The line's name, as the chip gave it; empty when it has none. */
  readonly line: string
  /** The line's number on the chip. */
  readonly offset: number
  readonly isActiveLow: boolean
  readonly onStop: PinState
}

/** A channel of the kernel's PWM, with the pulses of `on_stop`. */
export interface HeldChannel extends PulseForm {
  readonly pin: string
  /** What it is wired to, for messages. */
  readonly line: string
  /** The device that makes the pulses. */
  readonly chip: string
  readonly number: number
}

/** The channels, and where their chips are. */
export interface HeldPwm {
  readonly dir: string
  readonly channels: readonly HeldChannel[]
}

/** What the daemon holds: written at start and at reload, read after a crash. */
export interface OutputsRecord {
  /** `GPIO_CHIP` as it was: what found the chip finds it again, whatever its number is then. */
  readonly choice: string
  /** The chip that it found. */
  readonly chip: { readonly path: string; readonly label: string }
  readonly outputs: readonly HeldLine[]
  /** Absent when there is none. */
  readonly pwm?: HeldPwm
}

/** Where the record lies in a data folder. */
export function outputsRecordPath(dataDir: string): string {
  return join(dataDir, fileName)
}

/**
 * Writes the record so that a reader finds the old one or the new one, whole, even after a power cut.
 * Makes the folder if need be. A record without outputs is no record: the file is removed.
 * @throws the file system's error
 */
export async function writeOutputsRecord(dataDir: string, record: OutputsRecord): Promise<void> {
  const path = outputsRecordPath(dataDir)
  if (record.outputs.length === 0 && record.pwm === undefined) return await rm(path, { force: true })
  await writeWhole(path, `${JSON.stringify({ version, ...record }, undefined, 2)}\n`)
}

/**
 * The record that a daemon left; undefined when there is none. Needs no configuration.
 * @throws DamselflyError `GPIO_FAILED` when it cannot be read or is damaged
 */
export async function readOutputsRecord(dataDir: string): Promise<OutputsRecord | undefined> {
  const path = outputsRecordPath(dataDir)
  let value: unknown
  try {
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined
    throw unusable(path, reasonOf(cause), cause)
  }
  const record = asRecord(value)
  if (record === undefined) throw unusable(path, 'it is not what Damselfly writes')
  return record
}

function unusable(path: string, reason: string, cause?: unknown): DamselflyError {
  const message = `${path} cannot be used: ${reason}; the next start of the daemon writes it anew`
  return new DamselflyError('GPIO_FAILED', message, { cause })
}

function asRecord(value: unknown): OutputsRecord | undefined {
  if (!isObject(value) || value['version'] !== version) return undefined
  const { choice, chip, outputs } = value
  if (typeof choice !== 'string' || !isObject(chip) || !Array.isArray(outputs)) return undefined
  const { path, label } = chip
  if (typeof path !== 'string' || typeof label !== 'string') return undefined
  const held = outputs.map(asOutput)
  if (!held.every((output) => output !== undefined)) return undefined
  const pwm = asPwm(value['pwm'])
  if (value['pwm'] !== undefined && pwm === undefined) return undefined
  return { choice, chip: { path, label }, outputs: held, ...(pwm === undefined ? {} : { pwm }) }
}

function asPwm(value: unknown): HeldPwm | undefined {
  if (!isObject(value)) return undefined
  const { dir, channels } = value
  if (typeof dir !== 'string' || !Array.isArray(channels)) return undefined
  const held = channels.map(asChannel)
  return held.every((channel) => channel !== undefined) ? { dir, channels: held } : undefined
}

function asChannel(value: unknown): HeldChannel | undefined {
  if (!isObject(value)) return undefined
  const { pin, line, chip, number, periodNs, pulseNs, isInversed } = value
  if (typeof pin !== 'string' || typeof line !== 'string' || typeof chip !== 'string') return undefined
  if (!isCount(number) || !isCount(periodNs) || !isCount(pulseNs) || typeof isInversed !== 'boolean')
    return undefined
  return { pin, line, chip, number, periodNs, pulseNs, isInversed }
}

function asOutput(value: unknown): HeldLine | undefined {
  if (!isObject(value)) return undefined
  const { pin, line, offset, isActiveLow, onStop } = value
  if (typeof pin !== 'string' || typeof line !== 'string' || typeof isActiveLow !== 'boolean')
    return undefined
  if (!isCount(offset)) return undefined
  if (onStop !== 'on' && onStop !== 'off') return undefined
  return { pin, line, offset, isActiveLow, onStop }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
