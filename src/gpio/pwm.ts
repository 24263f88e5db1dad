/** The kernel's PWM (`sysfs-pwm.ts`), or the simulator with the same face (`simulated-pwm.ts`). */
export interface Pwm {
  readonly isSimulated: boolean
  /** Where its chips are: `/sys/class/pwm`, or `simulated`. */
  readonly dir: string
  /**
   * Finds the channel that makes the pulses of a pin, and gets it ready to be written: it may have to be exported,
   * and the system takes a moment to give its files to the group. Changes nothing on the wire.
   * @throws DamselflyError `GPIO_NO_CHIP`, `GPIO_NO_LINE`, `GPIO_BUSY`, `GPIO_DENIED`, `GPIO_FAILED`
   */
  prepare(choice: ChannelChoice): Promise<PwmChannel>
}

/** How a pin says which channel it means. */
export interface ChannelChoice {
  readonly line: number | string
  readonly channel?: number
  readonly pwmChip?: string
}

export interface PwmChannel {
  /** The device, such as `1f00098000.pwm`; its number is never the same. */
  readonly chip: string
  readonly number: number
  /**
   * Makes pulses of this form from now on. A channel that makes pulses already goes over to them without a pause,
   * unless its polarity changes; one that makes none begins with the first such pulse.
   * @throws DamselflyError `GPIO_FAILED`
   */
  start(form: PulseForm): void
  /** Changes the pulse alone. @throws DamselflyError `GPIO_FAILED` */
  setPulse(pulseNs: number): void
}

export interface PulseForm {
  readonly periodNs: number
  /** 0: none. At most the period. */
  readonly pulseNs: number
  /** The pulse is the time at the low level. */
  readonly isInversed: boolean
}

/** How messages call a channel. */
export function describeChannel({ chip, number }: Pick<PwmChannel, 'chip' | 'number'>): string {
  return `channel ${number} of ${chip}`
}
