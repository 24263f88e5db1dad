import { reasonOf } from '../core/errors.ts'
import type { Pin } from '../core/pin.ts'
import type { Logger } from '../core/ports.ts'
import { describeChoice } from './chip.ts'
import { formOf } from './held-pwm.ts'
import { type ChannelChoice, describeChannel, type PulseForm, type Pwm } from './pwm.ts'
import type { HeldChannel } from './record.ts'
import type { SafeFailure, SafeReport } from './safe.ts'

/** A PWM pin to be driven: a configured one (`safePulses`), or a held one from the record (`heldPulses`). */
export interface SafePulse {
  readonly pin: string
  readonly choice: ChannelChoice
  readonly form: PulseForm
}

/**
 * Gives every PWM pin the pulses of its `on_stop`, without a daemon. Nothing has to be held: a channel stays as it is.
 * One that cannot be had is logged and does not keep the others from being driven. Never throws.
 */
export async function driveSafePulses(
  pwm: Pwm,
  pulses: readonly SafePulse[],
  log: Logger,
): Promise<SafeReport> {
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

/** The configured PWM pins, when there is no record. */
export function safePulses(pins: readonly Pin[]): SafePulse[] {
  return pins
    .filter((pin) => pin.direction === 'pwm')
    .map((pin) => ({ pin: pin.name, choice: pin, form: formOf(pin, pin.onStop) }))
}

/** The channels of a record: the same ones, whatever the numbers of their chips are now. */
export function heldPulses(channels: readonly HeldChannel[]): SafePulse[] {
  return channels.map(({ pin, line, chip, number, periodNs, pulseNs, isInversed }) => ({
    pin,
    choice: { line: describeChoice(line), channel: number, pwmChip: chip },
    form: { periodNs, pulseNs, isInversed },
  }))
}
