import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { errnoOf, reasonOf } from '../core/errors.ts'
import type { MeterReading } from './pulse-meter.ts'
import { writeWhole } from './write-whole.ts'

const fileName = 'counters.json'
const version = 1
const badShownMax = 10
const shownCharsMax = 80

/** Readings by the name of their pin, those that were written last at the end. */
export type Readings = ReadonlyMap<string, MeterReading>

/** What an earlier process left. */
export type FoundReadings =
  | {
      /** `damaged`: entries are left out that are bad, or the whole file was and is set aside under a dated name. */
      readonly kind: 'read' | 'damaged'
      readonly readings: Readings
      /** What is wrong with it, and where it is now. */
      readonly reason?: string
    }
  /** It may hold good readings, but cannot be read now (or not be set aside): it must not be written. */
  | { readonly kind: 'unreadable'; readonly reason: string }

/** Where the readings lie in a data folder. */
export function pulseFilePath(dataDir: string): string {
  return join(dataDir, fileName)
}

/** @throws the file system's error */
export async function writeReadings(dataDir: string, readings: Readings): Promise<void> {
  const counters = Object.fromEntries(readings)
  await writeWhole(pulseFilePath(dataDir), `${JSON.stringify({ version, counters }, undefined, 2)}\n`)
}

/** The readings that an earlier process left; none when there is no file. Never rejects. */
export async function readReadings(dataDir: string): Promise<FoundReadings> {
  const path = pulseFilePath(dataDir)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { kind: 'read', readings: new Map() }
    return { kind: 'unreadable', reason: reasonOf(error) }
  }
  try {
    return readingsIn(text)
  } catch (error) {
    return await setAside(path, reasonOf(error))
  }
}

async function setAside(path: string, reason: string): Promise<FoundReadings> {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(':', '')}`
  try {
    await rename(path, aside)
  } catch (error) {
    return { kind: 'unreadable', reason: `${reason}; nor can it be set aside: ${reasonOf(error)}` }
  }
  return { kind: 'damaged', readings: new Map(), reason: `${reason}; it is now ${aside}` }
}

/** @throws when it is no file of readings */
function readingsIn(text: string): FoundReadings {
  const value: unknown = JSON.parse(text)
  if (!isObject(value) || value['version'] !== version || !isObject(value['counters']))
    throw new Error('it is not what Damselfly writes')
  const readings = new Map<string, MeterReading>()
  const bad: string[] = []
  for (const [pin, found] of Object.entries(value['counters'])) {
    const reading = asReading(found)
    if (reading === undefined) bad.push(`${pin}: ${JSON.stringify(found)}`.slice(0, shownCharsMax))
    else readings.set(pin, reading)
  }
  if (bad.length === 0) return { kind: 'read', readings }
  const more = bad.length > badShownMax ? ` and ${bad.length - badShownMax} more` : ''
  const shown = bad.slice(0, badShownMax).join(', ')
  return { kind: 'damaged', readings, reason: `no whole pulses with a total: ${shown}${more}` }
}

function asReading(value: unknown): MeterReading | undefined {
  if (!isObject(value)) return undefined
  const { pulses, total } = value
  if (typeof pulses !== 'number' || !Number.isSafeInteger(pulses) || pulses < 0) return undefined
  if (typeof total !== 'number' || !Number.isFinite(total)) return undefined
  return { pulses, total }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
