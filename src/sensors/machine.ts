import { execFile } from 'node:child_process'
import { access, readdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { TelemetryKind, TelemetryReading } from '../core/telemetry.ts'
import { readText } from './read-text.ts'
import { readSource } from './sources.ts'

/** Where the machine tells what; the system's own unless told. */
export interface MachinePlaces {
  /** `/sys` */
  readonly sysDir: string
  /** `/proc` */
  readonly procDir: string
  /** A path on the file system that is meant. `/` */
  readonly disk: string
  /** The program of Raspberry Pi OS that asks the firmware. */
  readonly vcgencmd: string
}

export const machinePlaces: MachinePlaces = {
  sysDir: '/sys',
  procDir: '/proc',
  disk: '/',
  vcgencmd: '/usr/bin/vcgencmd',
}

const vcgencmdMs = 2_000

/**
 * What the kernel tells in files, of the kinds that are asked for. What is not there is left out; this never rejects.
 * @param signal ends the one program that it may run
 */
export async function readMachine(
  kinds: readonly TelemetryKind[],
  places: MachinePlaces,
  signal?: AbortSignal,
): Promise<TelemetryReading> {
  const found = await Promise.all(
    kinds.map((kind) => readers[kind](places, signal).catch((): TelemetryReading => ({}))),
  )
  return Object.assign({}, ...found) as TelemetryReading
}

type Read = (places: MachinePlaces, signal?: AbortSignal) => Promise<TelemetryReading>

const readers: Readonly<Record<TelemetryKind, Read>> = {
  temperature: async ({ sysDir }) => ({ temperature: rounded(await readSource({ kind: 'cpu' }, sysDir)) }),
  throttling: readThrottling,
  load: async ({ procDir }) => only('load', firstNumber(await readText(join(procDir, 'loadavg')))),
  memory: readMemory,
  disk: readDisk,
  wifi: readWireless,
  uptime: async ({ procDir }) => {
    const seconds = firstNumber(await readText(join(procDir, 'uptime')))
    return only('uptime', seconds === undefined ? undefined : Math.floor(seconds))
  },
}

// Documentation/filesystems/proc.rst; MemAvailable is what programs can have without swapping
async function readMemory({ procDir }: MachinePlaces): Promise<TelemetryReading> {
  const text = await readText(join(procDir, 'meminfo'))
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1])
  return only('memory', percent(kib('MemTotal') - kib('MemAvailable'), kib('MemTotal')))
}

// as df has it: what is kept for root counts neither as used nor as free
async function readDisk({ disk }: MachinePlaces): Promise<TelemetryReading> {
  const { blocks, bfree, bavail } = await statfs(disk)
  return only('disk', percent(blocks - bfree, blocks - bfree + bavail))
}

/** The third number of an interface's line is its level; the strongest counts. */
async function readWireless({ procDir }: MachinePlaces): Promise<TelemetryReading> {
  const text = await readText(join(procDir, 'net/wireless'))
  const levels = [...text.matchAll(/^\s*\S+:\s+\S+\s+\S+\s+(-?\d+)/gm)].map(([, level]) => Number(level))
  const dbm = levels.filter((level) => level < 0 && level > -200)
  return dbm.length === 0 ? {} : { wifi: Math.max(...dbm) }
}

/** Whether there is a wireless network of which the kernel tells nothing in its file, as newer kernels do. */
export async function hasUnreadWireless({ sysDir, procDir }: MachinePlaces): Promise<boolean> {
  const told = await readText(join(procDir, 'net/wireless')).catch(() => undefined)
  if (told !== undefined) return false
  const folder = join(sysDir, 'class/net')
  for (const name of await readdir(folder).catch(() => []))
    if (await isThere(join(folder, name, 'phy80211'))) return true
  return false
}

/**
 * The firmware of a Raspberry Pi knows. `vcgencmd` tells all, where we may run it; the kernel's own two places tell
 * what is now.
 *
 * @NOTE The upper bits of the kernel's file are those since its last look, two seconds ago, not since the start.
 */
async function readThrottling(places: MachinePlaces, signal?: AbortSignal): Promise<TelemetryReading> {
  const told = /throttled=0x([0-9a-f]{1,8})\b/i.exec(await askFirmware(places.vcgencmd, signal))?.[1]
  if (told !== undefined) {
    const bits = Number.parseInt(told, 16)
    const isSet = (bit: number): boolean => (bits & (1 << bit)) !== 0
    return {
      ...throttlingNow(bits),
      under_voltage_since_boot: isSet(16),
      throttled_since_boot: isSet(17) || isSet(18) || isSet(19),
    }
  }
  const text = await readFirmwareFile(places.sysDir)
  if (text !== undefined && /^(0x)?[0-9a-f]{1,8}$/i.test(text))
    return throttlingNow(Number.parseInt(text, 16))
  return await readVoltageAlarm(places.sysDir)
}

/** https://www.raspberrypi.com/documentation/computers/os.html, get_throttled: 0 under-voltage, 1 capped, 2 throttled, 3 soft limit */
function throttlingNow(bits: number): TelemetryReading {
  return { under_voltage: (bits & 0b0001) !== 0, throttled: (bits & 0b1110) !== 0 }
}

/** Resolves with nothing where it cannot be run, fails or hangs. */
function askFirmware(vcgencmd: string, signal: AbortSignal | undefined): Promise<string> {
  const options = { env: {}, timeout: vcgencmdMs, killSignal: 'SIGKILL', signal } as const
  return new Promise((resolve) => {
    execFile(vcgencmd, ['get_throttled'], options, (error, stdout) => resolve(error === null ? stdout : ''))
  })
}

async function readFirmwareFile(sysDir: string): Promise<string | undefined> {
  const platform = join(sysDir, 'devices/platform')
  for (const soc of (await readdir(platform).catch(() => [])).filter((name) => /^soc(@.*)?$/.test(name)))
    for (const device of await readdir(join(platform, soc)).catch(() => []))
      if (device.endsWith(':firmware'))
        return await readText(join(platform, soc, device, 'get_throttled')).catch(() => undefined)
  return undefined
}

/** Documentation/hwmon/raspberrypi-hwmon.rst */
async function readVoltageAlarm(sysDir: string): Promise<TelemetryReading> {
  const folder = join(sysDir, 'class/hwmon')
  for (const chip of await readdir(folder)) {
    const name = await readText(join(folder, chip, 'name')).catch(() => '')
    if (name === 'rpi_volt')
      return { under_voltage: (await readText(join(folder, chip, 'in0_lcrit_alarm'))) === '1' }
  }
  return {}
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

function firstNumber(text: string): number | undefined {
  const number = Number(text.split(/\s/)[0])
  return text !== '' && Number.isFinite(number) ? number : undefined
}

function percent(part: number, whole: number): number | undefined {
  return whole > 0 && part >= 0 ? rounded((100 * part) / whole) : undefined
}

function rounded(value: number): number {
  return Number(value.toFixed(1))
}

function only(field: 'load' | 'memory' | 'disk' | 'uptime', value: number | undefined): TelemetryReading {
  return value === undefined ? {} : { [field]: value }
}
