import type { PwmPin } from '../core/pin.ts'
import type { Drive } from './output.ts'
import type { PulseForm } from './pwm.ts'

type Scaled = Pick<PwmPin, 'scale' | 'min' | 'max' | 'periodNs'>

/**
 * What a commanded number drives: the number within `min` and `max`. For a duty nothing and less is `off`;
 * for an angle 0 is an angle like any other.
 */
export function withinLimits({ scale, min, max }: Scaled, value: number): Drive {
  if (scale.kind === 'duty' && value <= 0) return 'off'
  return Math.min(max, Math.max(min, value))
}

/** How long the pulse of a value is, in nanoseconds: none when it is `off`. */
export function pulseNs({ scale, max, periodNs }: Scaled, value: Drive): number {
  if (value === 'off') return 0
  const number = value === 'on' ? max : value
  if (scale.kind === 'duty') return Math.round((periodNs * number) / 100)
  const { minPulseNs, maxPulseNs, rangeDegrees } = scale
  return Math.round(minPulseNs + ((maxPulseNs - minPulseNs) * number) / rangeDegrees)
}

/** The pulses of a pin that is driven to a value. */
export function formOf(pin: PwmPin, value: PwmPin['initial']): PulseForm {
  return { periodNs: pin.periodNs, pulseNs: pulseNs(pin, value), isInversed: pin.isActiveLow }
}
