import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import type { MeterReading } from './pulse-meter.ts'
import { writeWhole } from './write-whole.ts'

const fileName = 'counters.json'
const version = 1

/** Readings by the name of their pin, those that were written last at the end. */
export type Readings = ReadonlyMap<string, MeterReading>

/** Where the readings lie in a data folder. */
export function pulseFilePath(dataDir: string): string {
  return join(dataDir, fileName)
}

/** @throws the file system's error */
export async function writeReadings(dataDir: string, readings: Readings): Promise<void> {
  const counters = Object.fromEntries(readings)
  await writeWhole(pulseFilePath(dataDir), `${JSON.stringify({ version, counters }, undefined, 2)}\n`)
}

/**
 * The readings that an earlier process left; none when there is no file. One that is damaged is set aside under a dated
 * name before this throws.
 * @throws DamselflyError `GPIO_FAILED` with the reason and where the file is now
 */
export async function readReadings(dataDir: string): Promise<Readings> {
  const path = pulseFilePath(dataDir)
  let reason = 'it is not what Damselfly writes'
  try {
    const readings = asReadings(JSON.parse(await readFile(path, 'utf8')))
    if (readings !== undefined) return readings
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return new Map()
    reason = reasonOf(error)
  }
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(':', '')}`
  try {
    await rename(path, aside)
  } catch (cause) {
    throw new DamselflyError(
      'GPIO_FAILED',
      `${path} cannot be used: ${reason}; nor set aside: ${reasonOf(cause)}`,
      {
        cause,
      },
    )
  }
  throw new DamselflyError('GPIO_FAILED', `${path} cannot be used: ${reason}; it is now ${aside}`)
}

function asReadings(value: unknown): Readings | undefined {
  if (!isObject(value) || value['version'] !== version || !isObject(value['counters'])) return undefined
  const readings = new Map<string, MeterReading>()
  for (const [pin, reading] of Object.entries(value['counters'])) {
    if (!isObject(reading)) return undefined
    const { pulses, total } = reading
    if (typeof pulses !== 'number' || !Number.isSafeInteger(pulses) || pulses < 0) return undefined
    if (typeof total !== 'number' || !Number.isFinite(total)) return undefined
    readings.set(pin, { pulses, total })
  }
  return readings
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
