import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import type { PinState } from '../core/pin.ts'

const fileName = 'outputs.json'
const version = 1

/** An output, as `damselfly safe` needs to know it. */
export interface HeldOutput {
  readonly pin: string
  /** The line's name, as the chip gave it; empty when it has none. */
  readonly line: string
  /** The line's number on the chip. */
  readonly offset: number
  readonly isActiveLow: boolean
  readonly onStop: PinState
}

/** What the daemon holds: written at start and at reload, read after a crash. */
export interface OutputsRecord {
  /** `GPIO_CHIP` as it was: what found the chip finds it again, whatever its number is then. */
  readonly choice: string
  /** The chip that it found. */
  readonly chip: { readonly path: string; readonly label: string }
  readonly outputs: readonly HeldOutput[]
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
  await mkdir(dataDir, { recursive: true })
  const path = outputsRecordPath(dataDir)
  if (record.outputs.length === 0) return await rm(path, { force: true })
  const draft = `${path}.${process.pid}.new`
  try {
    const file = await open(draft, 'w', 0o644)
    try {
      await file.writeFile(`${JSON.stringify({ version, ...record }, undefined, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
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
  return { choice, chip: { path, label }, outputs: held }
}

function asOutput(value: unknown): HeldOutput | undefined {
  if (!isObject(value)) return undefined
  const { pin, line, offset, isActiveLow, onStop } = value
  if (typeof pin !== 'string' || typeof line !== 'string' || typeof isActiveLow !== 'boolean')
    return undefined
  if (typeof offset !== 'number' || !Number.isSafeInteger(offset) || offset < 0) return undefined
  if (onStop !== 'on' && onStop !== 'off') return undefined
  return { pin, line, offset, isActiveLow, onStop }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
