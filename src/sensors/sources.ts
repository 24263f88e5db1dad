import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import type { SensorSource } from '../core/pin.ts'
import { readText } from './read-text.ts'

/** What a source is called in `damselfly.yaml`. */
export function describeSource(source: SensorSource): string {
  if (source.kind === 'w1') return `w1:${source.id}`
  return source.kind === 'cpu' ? 'cpu' : source.path
}

/**
 * Reads a source once. `sysDir` is where sysfs is mounted.
 * @returns degrees Celsius, or the number in the file
 * @throws DamselflyError `SENSOR_FAILED` that names the file and says what to do
 */
export async function readSource(source: SensorSource, sysDir: string): Promise<number> {
  if (source.kind === 'w1') {
    const devices = join(sysDir, 'bus/w1/devices')
    // long wires garble a reading now and then
    return await readW1(source.id, devices).catch(() => readW1(source.id, devices))
  }
  if (source.kind === 'cpu') return (await readNumber(await cpuFile(join(sysDir, 'class/thermal')))) / 1_000
  return await readNumber(source.path)
}

async function readNumber(path: string): Promise<number> {
  let text: string
  try {
    text = await readText(path)
  } catch (error) {
    throw failed(`cannot read ${path}: ${whyOf(error)}`, error)
  }
  return numberIn(text, path)
}

function numberIn(text: string, path: string): number {
  if (/^[+-]?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text))) return Number(text)
  throw failed(
    `${path} does not hold one number, but ${text === '' ? 'nothing' : JSON.stringify(text.slice(0, 40))}`,
  )
}

/** What the thermal zones of processors are called: Raspberry Pi and most boards, others, PCs. */
const processorZones = [/^cpu[-_]?thermal/i, /^cpu/i, /^soc/i, /^x86_pkg_temp$/i]

// Documentation/driver-api/thermal/sysfs-api.rst: `type` is the driver's name for it, `temp` is in millidegrees
async function cpuFile(folder: string): Promise<string> {
  const zones = (await entriesOf(folder)).filter((name) => /^thermal_zone\d+$/.test(name)).sort(byNumber)
  const types = await Promise.all(zones.map((zone) => readText(join(folder, zone, 'type')).catch(() => '')))
  for (const pattern of processorZones) {
    const zone = zones[types.findIndex((type) => pattern.test(type))]
    if (zone !== undefined) return join(folder, zone, 'temp')
  }
  if (zones[0] !== undefined) return join(folder, zones[0], 'temp')
  throw failed(
    `${folder} has no thermal zone: this machine does not tell its temperature, as most virtual machines and containers do not`,
  )
}

// Documentation/w1/slaves/w1_therm.rst; `temperature` since Linux 5.10, `w1_slave` before and after
async function readW1(id: string, devices: string): Promise<number> {
  const folder = join(devices, id)
  let text: string
  try {
    text = await readText(join(folder, 'temperature'))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT')
      throw failed(`cannot read ${join(folder, 'temperature')}: ${whyOfW1(error)}`, error)
    return await readW1Slave(id, devices)
  }
  return w1Celsius(numberIn(text, join(folder, 'temperature')), id)
}

async function readW1Slave(id: string, devices: string): Promise<number> {
  const path = join(devices, id, 'w1_slave')
  let text: string
  try {
    text = await readText(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw await missing(id, devices)
    throw failed(`cannot read ${path}: ${whyOfW1(error)}`, error)
  }
  const [, crc] = /crc=[0-9a-f]{2} (YES|NO)/.exec(text) ?? []
  const [, milli] = /t=(-?\d+)/.exec(text) ?? []
  if (crc === 'NO') throw failed(`${path}: the checksum is wrong; ${wiring}`)
  if (crc === undefined || milli === undefined)
    throw failed(`${path} is not what a temperature sensor says: ${JSON.stringify(text.slice(0, 80))}`)
  return w1Celsius(Number(milli), id)
}

const wiring = 'check the wires, and the resistor of 4.7 kΩ from data to 3.3 V'

function w1Celsius(milli: number, id: string): number {
  if (milli === 85_000)
    throw failed(`${id} says 85 °C, which is what it says before it has measured: its power fails; ${wiring}`)
  if (milli <= -127_000) throw failed(`${id} says ${milli / 1_000} °C: it does not answer; ${wiring}`)
  return milli / 1_000
}

async function missing(id: string, devices: string): Promise<DamselflyError> {
  let there: string[]
  try {
    there = (await readdir(devices)).filter((name) => /^[0-9a-f]{2}-[0-9a-f]+$/.test(name)).sort()
  } catch (error) {
    return failed(
      `there is no ${devices}: 1-Wire is off; add the line dtoverlay=w1-gpio to /boot/firmware/config.txt and reboot`,
      error,
    )
  }
  if (there.length === 0) return failed(`no sensor is on the 1-Wire bus (${devices}): ${wiring}`)
  const near = nearest(id, there)
  return failed(
    `there is no sensor ${id} on the 1-Wire bus${near === undefined ? '' : `; did you mean ${near}?`}; there is ${there.join(', ')}`,
  )
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return []
    throw failed(`cannot read ${folder}: ${whyOf(error)}`, error)
  }
}

function byNumber(a: string, b: string): number {
  return Number(a.replace(/\D/g, '')) - Number(b.replace(/\D/g, ''))
}

function whyOf(error: unknown): string {
  const errno = errnoOf(error)
  if (errno === 'ENOENT' || errno === 'ENODEV') return 'it is not there'
  if (errno === 'EACCES' || errno === 'EPERM') return 'Damselfly may not read it'
  if (errno === 'EIO') return 'the device does not answer (EIO)'
  return reasonOf(error)
}

function whyOfW1(error: unknown): string {
  return errnoOf(error) === 'EIO' ? `${whyOf(error)}; ${wiring}` : whyOf(error)
}

function failed(message: string, cause?: unknown): DamselflyError {
  return new DamselflyError('SENSOR_FAILED', message, { cause })
}
