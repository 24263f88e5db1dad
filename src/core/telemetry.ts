/** What the machine can tell of itself, by the words of `only:`. */
export const telemetryKinds = [
  'temperature',
  'throttling',
  'load',
  'memory',
  'disk',
  'wifi',
  'uptime',
] as const

export type TelemetryKind = (typeof telemetryKinds)[number]

/** How `telemetry:` is wanted. */
export interface TelemetrySettings {
  readonly everyMs: number
  /** A topic that gets each reading, beside `damselfly/NAME/telemetry`. */
  readonly publish?: string
  readonly kinds: readonly TelemetryKind[]
}

/** One reading, as it is published. What the machine does not tell is left out. */
export interface TelemetryReading {
  /** Of the processor, in degrees Celsius. */
  readonly temperature?: number
  /** Whether the supply is too weak now. */
  readonly under_voltage?: boolean
  /** Whether the processor is slowed down now, by heat or by a weak supply. */
  readonly throttled?: boolean
  /** Whether either was so at any time since the machine has started. */
  readonly under_voltage_since_boot?: boolean
  readonly throttled_since_boot?: boolean
  /** Average number of programs that ran or wanted to, over the last minute. */
  readonly load?: number
  /** Percent that is in use. */
  readonly memory?: number
  /** Percent of the file system `/` that is in use. */
  readonly disk?: number
  /** Signal of the wireless network, in dBm; nearer to 0 is stronger. */
  readonly wifi?: number
  /** Seconds since the machine has started. */
  readonly uptime?: number
}

export type TelemetryField = keyof TelemetryReading

/** Of each field: the kind that asks for it. */
export const telemetryKindOf: Readonly<Record<TelemetryField, TelemetryKind>> = {
  temperature: 'temperature',
  under_voltage: 'throttling',
  throttled: 'throttling',
  under_voltage_since_boot: 'throttling',
  throttled_since_boot: 'throttling',
  load: 'load',
  memory: 'memory',
  disk: 'disk',
  wifi: 'wifi',
  uptime: 'uptime',
}
