/** How Home Assistant is told what there is. */
export interface HomeAssistantSettings {
  /** `on`: always. `auto`: once Home Assistant has shown itself. `off`: never, and what was told is taken back. */
  readonly mode: 'on' | 'auto' | 'off'
  /** Where Home Assistant looks for devices; `homeassistant` unless it was told otherwise. */
  readonly prefix: string
  /** What the device is called there; undefined: Damselfly's name. */
  readonly name: string | undefined
  /** The room in which it is proposed to be. */
  readonly area: string | undefined
  /** What is special about single pins and sensors, by their names. */
  readonly pins: ReadonlyMap<string, EntityWish>
  readonly sensors: ReadonlyMap<string, EntityWish>
}

/** How a pin or a sensor is shown. */
export interface EntityWish {
  readonly isHidden: boolean
  /** What Home Assistant takes an output for. */
  readonly as?: OutputRole
  /** What it is called; its own name unless told. */
  readonly name?: string
  /** Home Assistant's `device_class`: `door`, `energy`, `humidity`. */
  readonly deviceClass?: string
  /** Home Assistant's `unit_of_measurement`: `kWh`, `%`. */
  readonly unit?: string
  /** `mdi:garage`. */
  readonly icon?: string
}

export const outputRoles = ['switch', 'light', 'fan', 'number'] as const

export type OutputRole = (typeof outputRoles)[number]

/** What holds when nothing is said of Home Assistant. */
export const homeAssistantDefaults: HomeAssistantSettings = {
  mode: 'auto',
  prefix: 'homeassistant',
  name: undefined,
  area: undefined,
  pins: new Map(),
  sensors: new Map(),
}
