import { describeChoice } from './chip.ts'
import type { ChannelChoice, PulseForm, Pwm, PwmChannel } from './pwm.ts'

export const simulatedDir = 'simulated'

/** PWM without hardware: every pin has a channel of its own, which remembers its pulse. */
export class SimulatedPwm implements Pwm {
  readonly isSimulated = true
  readonly dir = simulatedDir
  /** The pulses being made, by what `describeChoice` calls the line. */
  readonly pulses = new Map<string, PulseForm>()

  async prepare({ line, channel = 0, pwmChip }: ChannelChoice): Promise<PwmChannel> {
    const wire = describeChoice(line)
    const start = (form: PulseForm): void => {
      this.pulses.set(wire, form)
    }
    return {
      chip: pwmChip ?? `simulated PWM of ${wire}`,
      number: channel,
      start,
      setPulse: (pulseNs) => {
        const form = this.pulses.get(wire)
        if (form !== undefined) start({ ...form, pulseNs })
      },
    }
  }
}
