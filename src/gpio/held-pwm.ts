import type { PwmPin } from '../core/pin.ts'
import type { Logger } from '../core/ports.ts'
import { Repeats } from '../core/repeats.ts'
import { describeChoice } from './chip.ts'
import type { HeldOutput } from './held.ts'
import type { OutputParts } from './held-output.ts'
import { type Actuator, Output } from './output.ts'
import { describeChannel, type PwmChannel } from './pwm.ts'
import { formOf, pulseNs, withinLimits } from './pwm-scale.ts'

/**
 * Takes a channel for a PWM pin, from now on with the pulse of `initial`.
 * `off` is a channel that runs with pulses of no length: what a disabled one does to its wire, the kernel does not say.
 * @throws DamselflyError `GPIO_FAILED`
 */
export function holdPwm(
  channel: PwmChannel,
  first: PwmPin,
  initial: PwmPin['initial'],
  parts: OutputParts,
): HeldOutput {
  channel.start(formOf(first, initial))
  const actuator = pulsed(channel, first, parts.log)
  const output = new Output({ ...parts, pin: first, actuator, initial })
  output.start()
  return {
    kind: 'out',
    output,
    wire: describeChannel(channel),
    get pin() {
      return actuator.pin
    },
    get state() {
      return output.state
    },
    get record() {
      const { pin } = actuator
      const { chip, number } = channel
      const held = { pin: pin.name, line: describeChoice(pin.line), chip, number }
      return { kind: 'channel', channel: { ...held, ...formOf(pin, pin.onStop) } } as const
    },
    isSameLine: (next) => next?.direction === 'pwm' && isSame(actuator.pin, next),
    update(next) {
      if (next.direction !== 'pwm') return
      actuator.pin = next
      output.update(next)
    },
  }
}

/** A channel whose pulses follow commands; a timed one goes back to what was before. */
function pulsed(channel: PwmChannel, first: PwmPin, log: Logger): Actuator & { pin: PwmPin } {
  const repeats = new Repeats()
  return {
    pin: first,
    get on() {
      return this.pin.max
    },
    driveOf(value) {
      const drive = withinLimits(this.pin, value)
      const isKept = drive !== value && !(drive === 'off' && value === 0)
      const again = isKept ? repeats.admit('limits') : undefined
      if (again !== undefined) {
        const { name, min, max } = this.pin
        log.warn({ pin: name, asked: value, set: drive, min, max, ...again }, 'pin kept within its limits')
      }
      return drive
    },
    backFrom: (_value, before) => before,
    write(value) {
      channel.setPulse(pulseNs(this.pin, value))
    },
    release() {},
  }
}

// limits, times and interlocks may change while the pulses go on
function isSame(a: PwmPin, b: PwmPin): boolean {
  const form = ({ line, channel, pwmChip, isActiveLow, periodNs, scale }: PwmPin): string =>
    JSON.stringify([line, channel, pwmChip, isActiveLow, periodNs, scale])
  return form(a) === form(b)
}
