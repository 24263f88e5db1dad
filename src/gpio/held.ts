import type { InputPin, OutputPin, Pin, PinValue, PwmPin } from '../core/pin.ts'
import type { InputLine } from './chip.ts'
import type { Output } from './output.ts'
import type { HeldChannel, HeldLine } from './record.ts'

/** A pin whose line is held. Each kind of pin is a file (`held-….ts`) that takes the line and makes one of these. */
export type Held = HeldInput | HeldOutput

interface HeldPin {
  readonly state: PinValue
  /** What no other pin may have as well, for messages: `GPIO17 (line 17 of /dev/gpiochip0)`. */
  readonly wire: string
  /** Whether this configuration of the pin is served by what is held. */
  isSameLine(pin: Pin | undefined): boolean
  /** Takes over a configuration for which `isSameLine` holds. */
  update(pin: Pin): void
}

export interface HeldInput extends HeldPin {
  readonly kind: 'in'
  pin: InputPin
  readonly line: InputLine
  state: 'on' | 'off'
}

export interface HeldOutput extends HeldPin {
  readonly kind: 'out'
  readonly pin: OutputPin | PwmPin
  readonly output: Output
  /** What `damselfly safe` needs to know. */
  readonly record: OutputRecord
}

/** An output of the record: a line of the chip, or a channel of the kernel's PWM. */
export type OutputRecord =
  | { readonly kind: 'line'; readonly line: HeldLine }
  | { readonly kind: 'channel'; readonly channel: HeldChannel }
