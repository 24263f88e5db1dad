import type { Logger } from '../core/ports.ts'
import { hasGpioChip } from './open-chip.ts'
import type { Pwm } from './pwm.ts'
import { SimulatedPwm } from './simulated-pwm.ts'
import { SysfsPwm } from './sysfs-pwm.ts'

export interface OpenPwmOptions {
  /** `GPIO_CHIP`. */
  readonly choice: string
  /** `PWM_DIR`, if it is set: then it is used, whatever else is simulated. */
  readonly pwmDir?: string
  /** Where the GPIO devices are; `/dev` unless told. */
  readonly deviceDir?: string
  readonly log: Logger
}

/** The PWM that serves the pins: simulated where GPIO is. Opens no GPIO chip, and loads nothing for one. */
export function openPwm({ choice, pwmDir, deviceDir, log }: OpenPwmOptions): Pwm {
  if (pwmDir !== undefined) return new SysfsPwm(pwmDir)
  const isReal = choice !== 'simulated' && (choice !== 'auto' || hasGpioChip(deviceDir))
  if (isReal) return new SysfsPwm('/sys/class/pwm')
  const reason = choice === 'simulated' ? 'GPIO_CHIP=simulated' : 'this machine has no GPIO chip'
  log.warn({ reason }, 'PWM is simulated: no real pulse is made')
  return new SimulatedPwm()
}
