import { reasonOf } from '../core/errors.ts'
import type { PwmPin } from '../core/pin.ts'
import type { Logger } from '../core/ports.ts'
import { type OpenPwmOptions, openPwm } from './open-pwm.ts'
import { type ChannelChoice, describeChannel, type PulseForm, type Pwm } from './pwm.ts'
import { formOf } from './pwm-scale.ts'
import type { HeldChannel, HeldPwm } from './record.ts'
import type { SafeFailure, SafeReport } from './safe.ts'
import { SimulatedPwm, simulatedDir } from './simulated-pwm.ts'
import { SysfsPwm } from './sysfs-pwm.ts'

interface SafePulse {
  readonly pin: string
  readonly choice: ChannelChoice
  readonly form: PulseForm
}

/** The channels of a record get the pulses of `on_stop`; the same channels, whatever the numbers of their chips are now. */
export function driveHeldPwm({ dir, channels }: HeldPwm, log: Logger): Promise<SafeReport> {
  return driveSafePulses(
    dir === simulatedDir ? new SimulatedPwm() : new SysfsPwm(dir),
    heldPulses(channels),
    log,
  )
}

/** The configured PWM pins get the pulses of `on_stop`, when there is no record of them. */
export function drivePwmPins(pins: readonly PwmPin[], options: OpenPwmOptions): Promise<SafeReport> {
  return driveSafePulses(openPwm(options), safePulses(pins), options.log)
}

/**
 * Gives every PWM pin the pulses of its `on_stop`, without a daemon. Nothing has to be held: a channel stays as it is.
 * One that cannot be had is logged and does not keep the others from being driven. Never throws.
 */
async function driveSafePulses(pwm: Pwm, pulses: readonly SafePulse[], log: Logger): Promise<SafeReport> {
  const driven: string[] = []
  const failed: SafeFailure[] = []
  const drive = async ({ pin, choice, form }: SafePulse): Promise<void> => {
    try {
      const channel = await pwm.prepare(choice)
      channel.start(form)
      driven.push(pin)
      const { pulseNs, periodNs } = form
      log.info({ pin, line: describeChannel(channel), pulseNs, periodNs }, 'pin driven to on_stop')
    } catch (error) {
      failed.push({ pin, reason: reasonOf(error) })
      log.error({ pin, reason: reasonOf(error) }, 'pin not driven to on_stop')
    }
  }
  await Promise.all(pulses.map(drive))
  return { isSimulated: pwm.isSimulated, driven, failed }
}

function safePulses(pins: readonly PwmPin[]): SafePulse[] {
  return pins.map((pin) => ({ pin: pin.name, choice: pin, form: formOf(pin, pin.onStop) }))
}

function heldPulses(channels: readonly HeldChannel[]): SafePulse[] {
  return channels.map(({ pin, line, chip, number, periodNs, pulseNs, isInversed }) => ({
    pin,
    choice: { line, channel: number, pwmChip: chip },
    form: { periodNs, pulseNs, isInversed },
  }))
}
