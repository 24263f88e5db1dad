import { createHash } from 'node:crypto'
import type { HomeAssistantSettings } from '../core/home-assistant.ts'
import type { Pin, Sensor } from '../core/pin.ts'
import type { TelemetryField } from '../core/telemetry.ts'
import type { Component, Components, HouseNames } from './component.ts'
import { rateSuffix } from './meter-components.ts'
import { pinComponents } from './pin-components.ts'
import { sensorComponent, telemetryComponent, telemetryKey } from './sensor-components.ts'

/** What there is to tell of. */
export interface DeviceParts {
  readonly settings: HomeAssistantSettings
  readonly pins: readonly Pin[]
  readonly sensors: readonly Sensor[]
  readonly telemetry: readonly TelemetryField[]
}

/** Who tells. */
export interface Teller {
  /** Damselfly's name: `damselfly/NAME/status`. */
  readonly name: string
  readonly version: string
  /** What the machine is, such as `Raspberry Pi 5 Model B Rev 1.0`. */
  readonly model: string | undefined
}

/** The origin by which our own messages are known. */
const originName = 'Damselfly'

/**
 * A name as topics of Home Assistant and `unique_id` may have it. Names that differ have ids that differ.
 * @NOTE it is in Home Assistant's registry for good: another rule would make every entity a new one
 */
export function idOf(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_-]/g, '_')
  if (plain === name) return `damselfly_${name}`
  return `damselfly_${plain}_${createHash('sha256').update(name).digest('hex').slice(0, 6)}`
}

/** The topic of the device's one message. */
export function configTopic(prefix: string, name: string): string {
  return `${prefix}/device/${idOf(name)}/config`
}

/** Everything that Home Assistant is told of, by key. */
export function componentsOf({ settings, pins, sensors, telemetry }: DeviceParts, name: string): Components {
  const names: HouseNames = { topic: `damselfly/${name}`, id: idOf(name) }
  const components = new Map<string, Component>()
  // the platform is part of the key: what was a switch and is a light now is another component
  const add = (component: Component, what: string): void => {
    components.set(`${component.p}_${what}`, component)
  }
  for (const pin of pins)
    for (const component of pinComponents(pin, names, settings.pins.get(pin.name)))
      add(component, `pin_${pin.name}${suffixOf(component)}`)
  for (const sensor of sensors) {
    const component = sensorComponent(sensor, names, settings.sensors.get(sensor.name))
    if (component !== undefined) add(component, `sensor_${sensor.name}`)
  }
  for (const field of telemetry) components.set(telemetryKey(field), telemetryComponent(field, names))
  return components
}

/** What tells the components of one pin apart that have the same platform; no name has a dot. */
function suffixOf({ p, payload, unique_id: uniqueId }: Component): string {
  if (p === 'device_automation') return `.${String(payload)}`
  return String(uniqueId).endsWith(rateSuffix) ? rateSuffix : ''
}

/**
 * The message.
 * @param gone components that were told of and are no more: Home Assistant removes what has a platform and nothing else
 */
export function deviceMessage(
  components: Components,
  gone: ReadonlyMap<string, string>,
  { name, area }: HomeAssistantSettings,
  teller: Teller,
): string {
  return JSON.stringify({
    dev: {
      ids: [idOf(teller.name)],
      name: name ?? teller.name,
      mf: originName,
      ...(teller.model === undefined ? {} : { mdl: teller.model }),
      sw: teller.version,
      ...(area === undefined ? {} : { sa: area }),
    },
    o: { name: originName, sw: teller.version },
    availability_topic: `damselfly/${teller.name}/status`,
    qos: 1,
    cmps: {
      ...Object.fromEntries(components),
      ...Object.fromEntries([...gone].map(([key, platform]) => [key, { p: platform }])),
    },
  })
}

/**
 * The platforms of the components that a message tells of, by key; those that it removes are left out.
 * Undefined for a message that is not ours.
 */
export function toldIn(text: string): ReadonlyMap<string, string> | undefined {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isMap(message) || !isMap(message['o']) || message['o']['name'] !== originName) return undefined
  const told = new Map<string, string>()
  for (const [key, component] of Object.entries(isMap(message['cmps']) ? message['cmps'] : {}))
    if (isMap(component) && typeof component['p'] === 'string' && Object.keys(component).length > 1)
      told.set(key, component['p'])
  return told
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
