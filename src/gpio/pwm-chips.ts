import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { basename, join } from 'node:path'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import { describeChoice } from './chip.ts'
import { type ChannelChoice, describeChannel } from './pwm.ts'

/** A chip under `/sys/class/pwm`. */
export interface PwmChip {
  /** Its folder. Its number says nothing: it was another one with the kernel before. */
  readonly path: string
  /** The device behind it, by which it is found: `1f00098000.pwm`. */
  readonly device: string
  readonly channelCount: number
}

/** The chip that can drive a Raspberry Pi's header, by its device, and the channel of each line there. */
const headers: readonly { readonly devices: readonly string[]; readonly channels: Lines }[] = [
  { devices: ['1f00098000.pwm'], channels: { 12: 0, 13: 1, 18: 2, 19: 3 } }, // RP1: Pi 5, 500, CM5
  {
    devices: ['fe20c000.pwm', '3f20c000.pwm', '2020c000.pwm'], // BCM2711, BCM2836 and 7, BCM2835
    channels: { 12: 0, 18: 0, 13: 1, 19: 1 },
  },
]

type Lines = Readonly<Record<number, number>>

/** `func` of the overlay `pwm` (its README): ALT0 or ALT5, as the BCM2835 numbers them. The Pi 5 translates. */
const overlayFunctions: Lines = { 12: 4, 13: 4, 18: 2, 19: 2 }

/**
 * The chips in a folder like `/sys/class/pwm`; none when it does not exist.
 * @throws DamselflyError `GPIO_FAILED` when it cannot be read
 */
export function listPwmChips(dir: string): PwmChip[] {
  try {
    return readdirSync(dir)
      .filter((name) => /^pwmchip\d+$/.test(name))
      .map((name) => join(dir, name))
      .map((path) => ({
        path,
        device: basename(readlinkSync(join(path, 'device'))),
        channelCount: Number(readFileSync(join(path, 'npwm'), 'latin1')),
      }))
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return []
    throw new DamselflyError('GPIO_FAILED', `cannot read the PWM chips in ${dir}: ${reasonOf(cause)}`, {
      cause,
    })
  }
}

/**
 * The chip and the channel that someone chose. Without a chip it is the one that an overlay has made for this very
 * line (`pwm-pio`, `pwm-gpio`), else the Pi's own one that reaches the line.
 * @throws DamselflyError `GPIO_NO_CHIP` with the line for config.txt, or with the chips there are; `GPIO_NO_LINE`
 */
export function findChannel(
  dir: string,
  chips: readonly PwmChip[],
  choice: ChannelChoice,
): { readonly chip: PwmChip; readonly number: number } {
  const chip = findChip(dir, chips, choice)
  const gpio = gpioOf(choice)
  const known = headers.find(({ devices }) => devices.includes(chip.device))?.channels[gpio ?? -1]
  const number = choice.channel ?? known ?? (chip.channelCount === 1 ? 0 : undefined)
  if (number === undefined)
    throw new DamselflyError(
      'GPIO_NO_LINE',
      `which channel of ${chip.device} reaches ${describeChoice(choice.line)} is not known: say channel: and a number from 0 to ${chip.channelCount - 1}`,
    )
  if (number < chip.channelCount) return { chip, number }
  const channels = chip.channelCount === 1 ? 'one channel, 0' : `channels 0 to ${chip.channelCount - 1}`
  throw new DamselflyError(
    'GPIO_NO_LINE',
    `there is no ${describeChannel({ chip: chip.device, number })}: it has ${channels}`,
  )
}

function findChip(dir: string, chips: readonly PwmChip[], choice: ChannelChoice): PwmChip {
  const { pwmChip } = choice
  if (pwmChip !== undefined) {
    const named = chips.find((chip) => chip.device === pwmChip || nodeOf(chip) === pwmChip)
    if (named !== undefined) return named
    throw new DamselflyError('GPIO_NO_CHIP', `there is no PWM chip ${pwmChip}: ${listed(dir, chips)}`)
  }
  const gpio = gpioOf(choice)
  const overlay = chips.find(({ device }) => gpio !== undefined && overlayLine(device) === gpio)
  if (overlay !== undefined) return overlay
  const own = chips.find(({ device }) =>
    headers.some(
      ({ devices, channels }) =>
        devices.includes(device) && (choice.channel !== undefined || (gpio ?? -1) in channels),
    ),
  )
  if (own !== undefined) return own
  const [only, ...others] = chips
  if (choice.channel !== undefined && only !== undefined && others.length === 0) return only
  throw new DamselflyError('GPIO_NO_CHIP', `${remedy(choice)}; ${listed(dir, chips)}`)
}

function remedy(choice: ChannelChoice): string {
  const gpio = gpioOf(choice)
  const line = describeChoice(choice.line)
  const where = 'to /boot/firmware/config.txt and reboot'
  if (gpio === undefined) return `no PWM chip is known to reach ${line}: say channel: and pwm_chip:`
  const func = overlayFunctions[gpio]
  if (func !== undefined)
    return `no PWM chip reaches ${line}: add dtoverlay=pwm,pin=${gpio},func=${func} ${where} (for two such pins see dtoverlay=pwm-2chan)`
  return `${line} has no PWM of its own: use GPIO12, 13, 18 or 19, or add dtoverlay=pwm-gpio,gpio=${gpio} (on a Pi 5 pwm-pio) ${where}`
}

function listed(dir: string, chips: readonly PwmChip[]): string {
  if (chips.length === 0) return `${dir} has no PWM chip`
  return `${dir} has ${chips.map(({ device, channelCount }) => `${device} with ${channelCount} channels`).join(', ')}`
}

/** The header's number of a line: 18 of `GPIO18`. */
function gpioOf({ line }: ChannelChoice): number | undefined {
  if (typeof line === 'number') return line
  const found = /^GPIO(\d+)$/.exec(line)
  return found === null ? undefined : Number(found[1])
}

// the overlays pwm-gpio and pwm-pio name their device after the line, in hexadecimal: pwm_pio@17 is GPIO23
function overlayLine(device: string): number | undefined {
  const found = /^pwm[_-](?:gpio|pio)@([0-9a-f]+)$/.exec(device)
  return found === null ? undefined : Number.parseInt(found[1] as string, 16)
}

/** The device's name in the device tree, such as `pwm@98000`. */
function nodeOf({ path }: PwmChip): string | undefined {
  try {
    return basename(realpathSync(join(path, 'device', 'of_node')))
  } catch {
    return undefined // a machine without a device tree
  }
}
