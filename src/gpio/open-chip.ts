import { readdirSync, realpathSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import type { Counters } from '../core/counters.ts'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import type { Logger } from '../core/ports.ts'
import type { GpioChip } from './chip.ts'
import { openKernelChip } from './kernel-chip.ts'
import { piLabels } from './lines.ts'
import { SimulatedChip } from './simulated-chip.ts'

export interface OpenChipOptions {
  /** `GPIO_CHIP`: `auto`, `simulated` or the path of a chip's device. */
  readonly choice: string
  readonly log: Logger
  readonly counters: Counters
  /** Where the devices are; `/dev` unless told. */
  readonly deviceDir?: string
}

/** A device that might be the chip, and what became of opening it. */
type Candidate =
  | { readonly path: string; readonly chip: GpioChip }
  | { readonly path: string; readonly error: unknown }

/**
 * Opens the GPIO chip that serves the pins.
 *
 * `auto` takes the chip that drives a Raspberry Pi's header, by its label; else one that has a line named
 * GPIO17; else the only one there is. The simulator serves when the choice is `simulated`, or is `auto`
 * and there is no `gpiochip*` device at all; one line of warning says so.
 * @throws DamselflyError `GPIO_NO_CHIP` that lists the chips, `GPIO_DENIED` that names the group, `GPIO_FAILED`
 */
export async function openChip(options: OpenChipOptions): Promise<GpioChip> {
  const { choice, log } = options
  if (choice === 'simulated') return simulator(log, 'GPIO_CHIP=simulated')
  const paths = devicePaths(options.deviceDir ?? '/dev')
  if (choice !== 'auto') return logged(await openNamed(choice, paths, options), log)
  if (paths.length === 0) return simulator(log, 'this machine has no GPIO chip')

  const candidates = await Promise.all(paths.map((path) => tryOpen(path, options)))
  const chosen = choose(candidates)
  for (const candidate of candidates)
    if ('chip' in candidate && candidate.chip !== chosen) await candidate.chip.close()
  if (chosen === undefined) throw noChip(candidates)
  return logged(chosen, log)
}

/** Whether the machine has any GPIO chip, ours or not. */
export function hasGpioChip(deviceDir = '/dev'): boolean {
  return devicePaths(deviceDir).length > 0
}

function choose(candidates: readonly Candidate[]): GpioChip | undefined {
  const chips = candidates.flatMap((candidate) => ('chip' in candidate ? [candidate.chip] : []))
  for (const label of piLabels) {
    const pi = chips.find((chip) => chip.label === label)
    if (pi !== undefined) return pi
  }
  const named = chips.find((chip) => chip.lineNames.includes('GPIO17'))
  return named ?? (candidates.length === 1 ? chips[0] : undefined)
}

async function openNamed(
  path: string,
  others: readonly string[],
  options: OpenChipOptions,
): Promise<GpioChip> {
  const candidate = await tryOpen(path, options)
  if ('chip' in candidate) return candidate.chip
  if (isDenied(candidate.error)) throw denied(path, candidate.error)
  if (candidate.error instanceof DamselflyError) throw candidate.error
  const there = others.length === 0 ? 'there is none here' : `there is ${others.join(', ')}`
  throw new DamselflyError(
    'GPIO_NO_CHIP',
    `GPIO_CHIP=${path}: ${whyNot(candidate.error)}; ${there}; use GPIO_CHIP=auto, or GPIO_CHIP=simulated to try rules without hardware`,
    { cause: candidate.error },
  )
}

async function tryOpen(path: string, { log, counters }: OpenChipOptions): Promise<Candidate> {
  try {
    return { path, chip: await openKernelChip(path, log, counters) }
  } catch (error) {
    return { path, error }
  }
}

function noChip(candidates: readonly Candidate[]): DamselflyError {
  for (const candidate of candidates) {
    if (!('error' in candidate)) continue
    if (isDenied(candidate.error)) return denied(candidate.path, candidate.error)
    if (candidate.error instanceof DamselflyError) return candidate.error
  }
  const list = candidates.map((candidate) => {
    if ('error' in candidate) return `${candidate.path} ${whyNot(candidate.error)}`
    return `${candidate.path} is "${candidate.chip.label}" with ${candidate.chip.lineNames.length} lines`
  })
  const example = candidates.find((candidate) => 'chip' in candidate)?.path ?? 'simulated'
  return new DamselflyError(
    'GPIO_NO_CHIP',
    `no chip here is known to be the one with the pins: ${list.join('; ')}. Name it in .env, for example GPIO_CHIP=${example}`,
  )
}

function denied(path: string, cause: unknown): DamselflyError {
  const username = nameOfUser()
  const remedy =
    errnoOf(cause) === 'EPERM'
      ? 'under systemd the unit needs DeviceAllow=char-gpiochip rw'
      : `the user ${username} must be in the group gpio: sudo usermod -aG gpio ${username}, then log in again`
  return new DamselflyError('GPIO_DENIED', `may not open ${path} (${errnoOf(cause)}): ${remedy}`, { cause })
}

function nameOfUser(): string {
  try {
    return userInfo().username
  } catch {
    return 'USER' // an id without a name, as in a container
  }
}

function isDenied(error: unknown): boolean {
  return errnoOf(error) === 'EACCES' || errnoOf(error) === 'EPERM'
}

function whyNot(error: unknown): string {
  switch (errnoOf(error)) {
    case 'ENOENT':
      return 'does not exist'
    case 'ENOTTY':
    case 'EISDIR':
    case 'EINVAL':
      return 'is not a GPIO chip'
    default:
      return `cannot be opened: ${reasonOf(error)}`
  }
}

// @NOTE on a Pi 5 the system makes gpiochip4 a link to gpiochip0, for programs that know a number
function devicePaths(deviceDir: string): string[] {
  const paths = new Map<string, string>()
  let names: string[] = []
  try {
    names = readdirSync(deviceDir).filter((name) => /^gpiochip\d+$/.test(name))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
  names.sort((a, b) => Number(a.slice('gpiochip'.length)) - Number(b.slice('gpiochip'.length)))
  for (const path of names.map((name) => join(deviceDir, name))) {
    const real = realOf(path)
    if (!paths.has(real)) paths.set(real, path)
  }
  return [...paths.values()]
}

function realOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path // a link to nowhere is told like a missing device
  }
}

function simulator(log: Logger, reason: string): GpioChip {
  log.warn({ reason }, 'pins are simulated: no real line moves')
  return new SimulatedChip()
}

function logged(chip: GpioChip, log: Logger): GpioChip {
  log.info({ chip: chip.path, label: chip.label }, 'GPIO chip opened')
  return chip
}
