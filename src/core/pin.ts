import type { Place } from './problems.ts'

export type PinState = 'on' | 'off'

/** What a pin is: a switched pin `on`, `off` or `blink`; a PWM pin `off`, or its duty in percent or its angle in degrees; a counter its total. */
export type PinValue = PinState | 'blink' | number

/** What a pin can be told. A number is for PWM pins: percent or degrees. For them `on` is the upper limit. */
export type PinCommand = PinState | 'toggle' | 'blink' | number

/** A line of the chip: a number N is the line named `GPION`, or offset N where no names contradict; a string is a line's name. */
export type LineChoice = number | string

export interface OutputPin {
  readonly name: string
  readonly direction: 'out'
  readonly line: LineChoice
  /** Active low: `on` drives the line low. */
  readonly isActiveLow: boolean
  /** Driven in the very request of the line, so that there is no glitch. */
  readonly initial: PinState
  /** Driven at a clean stop, and by `damselfly safe` after a crash. */
  readonly onStop: PinState
  /** The longest time that it may stay on. */
  readonly maxOnMs?: number
  /** Outputs that are never on together with this one; holds for them too. */
  readonly interlock?: Interlock
  readonly place: Place
}

export interface Interlock {
  readonly pins: readonly string[]
  /** How long each of them must have been off before this one goes on; of two that name each other the longer. */
  readonly deadTimeMs: number
}

/** An output whose pulses the kernel makes (`/sys/class/pwm`). */
export interface PwmPin {
  readonly name: string
  readonly direction: 'pwm'
  /** Where it is wired; says which channel makes the pulses, unless `channel` and `pwmChip` do. */
  readonly line: LineChoice
  readonly channel?: number
  /** The device that makes the pulses, such as `1f00098000.pwm`. */
  readonly pwmChip?: string
  /** Inverts the pulses: the duty is the time at the low level. */
  readonly isActiveLow: boolean
  readonly periodNs: number
  /** What a command's number means. */
  readonly scale: PwmScale
  /** Commands are kept within these, in the scale's unit; `off` is always allowed. */
  readonly min: number
  readonly max: number
  readonly initial: 'off' | number
  readonly onStop: 'off' | number
  readonly maxOnMs?: number
  /** As for a switched output; not for a servo. */
  readonly interlock?: Interlock
  readonly place: Place
}

export type PwmScale =
  /** Percent of the period. */
  | { readonly kind: 'duty' }
  /** Degrees; a servo's pulse grows from `minPulseNs` at 0° to `maxPulseNs` at `rangeDegrees`. */
  | {
      readonly kind: 'angle'
      readonly minPulseNs: number
      readonly maxPulseNs: number
      readonly rangeDegrees: number
    }

export interface InputPin {
  readonly name: string
  readonly direction: 'in'
  readonly line: LineChoice
  readonly isActiveLow: boolean
  readonly pull: 'up' | 'down' | 'none' | 'as-is'
  /** Time for which the level must be stable; kept by the kernel. 0: every edge. */
  readonly debounceMs: number
  /** A topic that gets `on` or `off` at each edge. */
  readonly publish?: string
  /** Tells presses of a button apart. */
  readonly press?: Press
  /** Counts pulses of a meter. */
  readonly count?: PulseCount
  readonly place: Place
}

export type PressKind = 'short' | 'long' | 'double'

/** What is told of a button's presses, beside the word on `damselfly/NAME/pins/PIN/press`. */
export interface Press {
  /** Topics that get the word. */
  readonly topics: Readonly<Partial<Record<PressKind, string>>>
  /** Held at least this long is long, told while it is still held. Undefined: a long press is a short one. */
  readonly longMs?: number
  /**
   * A second press that begins within this time after the first one's release makes it double. Undefined: two
   * presses are two, and a short one is told at its release.
   */
  readonly doubleMs?: number
}

/** A meter that gives pulses: one at each edge to `on`. */
export interface PulseCount {
  /** What one pulse adds to the total: 0.001 for 1000 pulses a kWh. */
  readonly perPulse: number
  /** The rate is told per hour, minute or second. */
  readonly ratePer: 'h' | 'm' | 's'
  /** How often total and rate are published, when they have changed. */
  readonly everyMs: number
  /** A topic that gets `{ "total", "rate", "pulses" }`. */
  readonly publish?: string
}

/** An input that a meter is wired to. */
export type CounterPin = InputPin & { readonly count: PulseCount }

export type Pin = OutputPin | PwmPin | InputPin

/** Whether the pin can be commanded. */
export function isOutput(pin: Pin): pin is OutputPin | PwmPin {
  return pin.direction === 'out' || pin.direction === 'pwm'
}

/** Whether the pin counts pulses: its value is a total then. */
export function isCounter(pin: Pin): pin is CounterPin {
  return pin.direction === 'in' && pin.count !== undefined
}

/** A value that is read from a file of the kernel, again and again. */
export interface Sensor {
  readonly name: string
  readonly source: SensorSource
  readonly everyMs: number
  /** A topic that gets the value, beside `damselfly/NAME/sensors/SENSOR`. */
  readonly publish?: string
  /** The value is what was read times this … */
  readonly scale: number
  /** … plus this, … */
  readonly offset: number
  /** … with so many decimals. */
  readonly decimals: number
  readonly place: Place
}

export type SensorSource =
  /** Degrees Celsius of the processor. */
  | { readonly kind: 'cpu' }
  /** Degrees Celsius of a 1-Wire sensor such as the DS18B20, by its id `28-…`. */
  | { readonly kind: 'w1'; readonly id: string }
  /** A file that holds one number, such as those of IIO and hwmon. */
  | { readonly kind: 'file'; readonly path: string }

const words: ReadonlyMap<string, PinCommand> = new Map([
  ['on', 'on'],
  ['true', 'on'],
  ['off', 'off'],
  ['false', 'off'],
  ['toggle', 'toggle'],
  ['blink', 'blink'],
])

/**
 * What a text commands: a word in either case, or a number, with or without quotation marks and space around it;
 * undefined for anything else. `1` and `0` stay numbers: for a switched pin they are on and off.
 */
export function parsePinCommand(text: string): PinCommand | undefined {
  const word = text
    .trim()
    .replace(/^"(.*)"$/, '$1')
    .trim()
    .toLowerCase()
  return words.get(word) ?? (/^-?\d{1,15}(\.\d{1,20})?$/.test(word) ? Number(word) : undefined)
}

/** Whether a value from outside is a command. */
export function isPinCommand(value: unknown): value is PinCommand {
  if (typeof value === 'number') return Number.isFinite(value)
  return typeof value === 'string' && ['on', 'off', 'toggle', 'blink'].includes(value)
}

/** What an output understands, for messages. */
export function commandWords(pin: OutputPin | PwmPin): string {
  if (pin.direction === 'out') return 'on, off, toggle or blink'
  if (pin.scale.kind === 'angle') return `on, off, toggle or an angle from ${pin.min} to ${pin.max} degrees`
  return `on, off, toggle, blink or a number from 0 to 100, in percent`
}

/** Why an output does not understand a command, in a sentence; undefined when it does. */
export function commandProblem(pin: OutputPin | PwmPin, command: unknown): string | undefined {
  const isKnown =
    isPinCommand(command) &&
    (pin.direction === 'out'
      ? typeof command !== 'number' || command === 0 || command === 1
      : command !== 'blink' || pin.scale.kind !== 'angle')
  if (isKnown) return undefined
  const kind =
    pin.direction === 'out' ? 'a switched pin' : pin.scale.kind === 'angle' ? 'a servo' : 'a PWM pin'
  return `pin ${pin.name} is ${kind}: it knows ${commandWords(pin)}, not ${shown(command)}`
}

function shown(command: unknown): string {
  return typeof command === 'number' ? String(command) : (JSON.stringify(command)?.slice(0, 40) ?? 'nothing')
}
