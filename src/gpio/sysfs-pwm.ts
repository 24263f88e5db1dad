import { accessSync, closeSync, constants, existsSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import { type ChannelChoice, describeChannel, type PulseForm, type Pwm, type PwmChannel } from './pwm.ts'
import { findChannel, listPwmChips } from './pwm-chips.ts'

const attributes = ['period', 'duty_cycle', 'polarity', 'enable'] as const
type Attribute = (typeof attributes)[number]

/** A write, and what is written. */
export type PwmWrite = readonly [attribute: Attribute, value: string]

/** How long udev may take to give the files of a new channel to the group. On a Pi it takes some 300 ms. */
const readyMsMax = 3_000
const lookAgainMs = 20

/** What a channel says of itself. */
export interface ChannelState {
  readonly periodNs: number
  readonly pulseNs: number
  readonly isInversed: boolean
  readonly isEnabled: boolean
}

/**
 * The kernel's PWM as files (`Documentation/ABI/testing/sysfs-class-pwm`). A channel stays exported when it is left:
 * to give it back would end its pulses, `on_stop` among them.
 */
export class SysfsPwm implements Pwm {
  readonly isSimulated = false
  readonly dir: string

  constructor(dir: string) {
    this.dir = dir
  }

  async prepare(choice: ChannelChoice): Promise<PwmChannel> {
    const { chip, number } = findChannel(this.dir, listPwmChips(this.dir), choice)
    const name = describeChannel({ chip: chip.device, number })
    const path = join(chip.path, `pwm${number}`)
    let isExported = existsSync(path)
    await whenReady(name, () => {
      if (!isExported) exportChannel(chip.path, number)
      isExported = true
      for (const attribute of attributes) accessSync(join(path, attribute), constants.W_OK)
    })
    return new SysfsChannel(path, chip.device, number)
  }
}

class SysfsChannel implements PwmChannel {
  readonly chip: string
  readonly number: number
  readonly #path: string

  constructor(path: string, chip: string, number: number) {
    this.#path = path
    this.chip = chip
    this.number = number
  }

  start(form: PulseForm): void {
    const now: ChannelState = {
      periodNs: Number(this.#read('period')),
      pulseNs: Number(this.#read('duty_cycle')),
      isInversed: this.#read('polarity') === 'inversed',
      isEnabled: this.#read('enable') === '1',
    }
    for (const [attribute, value] of writesTo(form, now)) this.#write(attribute, value)
  }

  setPulse(pulseNs: number): void {
    this.#write('duty_cycle', String(pulseNs))
  }

  #read(attribute: Attribute): string {
    try {
      return readFileSync(join(this.#path, attribute), 'latin1').trim()
    } catch (cause) {
      throw this.#failed(`read ${attribute}`, cause)
    }
  }

  #write(attribute: Attribute, value: string): void {
    try {
      writeTo(join(this.#path, attribute), value)
    } catch (cause) {
      throw this.#failed(`write ${value} to ${attribute}`, cause)
    }
  }

  #failed(what: string, cause: unknown): DamselflyError {
    return new DamselflyError('GPIO_FAILED', `${describeChannel(this)}: cannot ${what}: ${reasonOf(cause)}`, {
      cause,
    })
  }
}

/**
 * The writes that lead from what a channel does to what it is to do. The pulse is never longer than the period, which
 * the kernel refuses, and it is there before the channel is enabled. The polarity can change only while the channel
 * is disabled, and only when it has a period.
 */
export function writesTo(form: PulseForm, now: ChannelState): PwmWrite[] {
  const period: PwmWrite[] = form.periodNs === now.periodNs ? [] : [['period', String(form.periodNs)]]
  const pulse: PwmWrite[] = form.pulseNs === now.pulseNs ? [] : [['duty_cycle', String(form.pulseNs)]]
  const timing = form.periodNs < now.periodNs ? [...pulse, ...period] : [...period, ...pulse]
  if (form.isInversed === now.isInversed) return now.isEnabled ? timing : [...timing, ['enable', '1']]
  return [
    ...(now.isEnabled ? [['enable', '0'] as const] : []),
    ...timing,
    ['polarity', form.isInversed ? 'inversed' : 'normal'],
    ['enable', '1'],
  ]
}

/** A channel that is there already was exported before a crash; that is no mistake. */
function exportChannel(chip: string, number: number): void {
  try {
    writeTo(join(chip, 'export'), String(number))
  } catch (error) {
    if (errnoOf(error) !== 'EBUSY') throw error
    if (!existsSync(join(chip, `pwm${number}`))) throw error
  }
}

// a missing file is not made, as writeFile would: in sysfs there is nothing to be made
function writeTo(path: string, text: string): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_TRUNC)
  try {
    writeSync(fd, text)
  } finally {
    closeSync(fd)
  }
}

/** Tries until it succeeds, for as long as the reason may be that udev is not done yet. */
async function whenReady(name: string, attempt: () => void): Promise<void> {
  const endMs = performance.now() + readyMsMax
  for (;;) {
    try {
      return attempt()
    } catch (error) {
      const mayCome = ['EACCES', 'EPERM', 'ENOENT'].includes(errnoOf(error) ?? '')
      if (!mayCome || performance.now() >= endMs) throw refused(name, error)
    }
    await sleep(lookAgainMs)
  }
}

function refused(name: string, cause: unknown): DamselflyError {
  const because = (code: 'GPIO_BUSY' | 'GPIO_DENIED' | 'GPIO_FAILED' | 'GPIO_NO_LINE', reason: string) =>
    new DamselflyError(code, `${name} ${reason}`, { cause })
  switch (errnoOf(cause)) {
    case 'EBUSY':
      return because('GPIO_BUSY', 'is busy: the kernel uses it itself, for a fan or a display, say')
    case 'ENODEV':
      return because('GPIO_NO_LINE', 'is not there')
    case 'EACCES':
    case 'EPERM':
      return because(
        'GPIO_DENIED',
        'may not be written: the user must be in the group gpio, and udev must give /sys/class/pwm to that group, as Raspberry Pi OS does',
      )
    case 'EROFS':
      return because(
        'GPIO_DENIED',
        'is read-only here: under systemd the unit needs ReadWritePaths=-/sys/class/pwm/pwmchip0, with the number of the chip, and a restart when that came later',
      )
    default:
      return because('GPIO_FAILED', `cannot be exported: ${reasonOf(cause)}`)
  }
}
