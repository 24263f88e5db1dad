import type { EntityWish } from '../core/home-assistant.ts'
import type { Sensor } from '../core/pin.ts'
import type { TelemetryField } from '../core/telemetry.ts'
import type { Component, HouseNames } from './component.ts'

/** What only grows, for Home Assistant's statistics. */
const growing: ReadonlySet<string | undefined> = new Set(['energy', 'gas', 'water'])

/** What Home Assistant is told of a sensor; undefined when it is hidden. */
export function sensorComponent(
  { name, source }: Sensor,
  { topic, id }: HouseNames,
  wish: EntityWish = { isHidden: false },
): Component | undefined {
  if (wish.isHidden) return undefined
  const isTemperature = source.kind !== 'file'
  const deviceClass = wish.deviceClass ?? (isTemperature ? 'temperature' : undefined)
  const unit = wish.unit ?? (isTemperature && wish.deviceClass === undefined ? '°C' : undefined)
  return {
    p: 'sensor',
    name: wish.name ?? name,
    unique_id: `${id}_sensor_${name}`,
    state_topic: `${topic}/sensors/${name}`,
    value_template: "{{ value if value else 'None' }}", // empty while it cannot be read: unknown then
    state_class: growing.has(deviceClass) ? 'total_increasing' : 'measurement',
    ...(deviceClass === undefined ? {} : { device_class: deviceClass }),
    ...(unit === undefined ? {} : { unit_of_measurement: unit }),
    ...(wish.icon === undefined ? {} : { icon: wish.icon }),
  }
}

const measured = { p: 'sensor', state_class: 'measurement' } as const
const problem = { p: 'binary_sensor', device_class: 'problem' } as const

const telemetry: Readonly<Record<TelemetryField, Component>> = {
  temperature: {
    ...measured,
    name: 'Processor temperature',
    device_class: 'temperature',
    unit_of_measurement: '°C',
  },
  under_voltage: { ...problem, name: 'Under-voltage' },
  throttled: { ...problem, name: 'Throttled' },
  under_voltage_since_boot: { ...problem, name: 'Under-voltage since start' },
  throttled_since_boot: { ...problem, name: 'Throttled since start' },
  load: { ...measured, name: 'Load', icon: 'mdi:gauge' },
  memory: { ...measured, name: 'Memory in use', unit_of_measurement: '%', icon: 'mdi:memory' },
  disk: { ...measured, name: 'Disk in use', unit_of_measurement: '%', icon: 'mdi:harddisk' },
  wifi: {
    ...measured,
    name: 'Wi-Fi signal',
    device_class: 'signal_strength',
    unit_of_measurement: 'dBm',
  },
  uptime: { ...measured, name: 'Uptime', device_class: 'duration', unit_of_measurement: 's' },
}

/** What Home Assistant is told of a field of the telemetry. */
export function telemetryComponent(field: TelemetryField, { topic, id }: HouseNames): Component {
  const component = telemetry[field]
  const known = `value_json is defined and value_json.${field} is defined`
  const value = component.p === 'sensor' ? `value_json.${field}` : `('ON' if value_json.${field} else 'OFF')`
  return {
    ...component,
    unique_id: `${id}_telemetry_${field}`,
    state_topic: `${topic}/telemetry`,
    value_template: `{{ ${value} if ${known} else 'None' }}`, // empty while nobody reads: unknown then
    entity_category: 'diagnostic',
  }
}

/** The key of a field among the components. */
export function telemetryKey(field: TelemetryField): string {
  return `${telemetry[field].p}_telemetry_${field}`
}

export const telemetryFields = Object.keys(telemetry) as readonly TelemetryField[]
