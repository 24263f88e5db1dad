import type { EntityWish } from '../core/home-assistant.ts'
import type { CounterPin } from '../core/pin.ts'
import type { Component } from './component.ts'

/** Ends the `unique_id` of a counter's rate. */
export const rateSuffix = '.rate'

/** The total of a counter; its rate as well where that is published. */
export function meterComponents(
  { name, count }: CounterPin,
  topic: string,
  common: Readonly<Record<string, unknown>>,
  { unit, deviceClass }: EntityWish,
): readonly Component[] {
  const energy = unit !== undefined && /^[kM]?Wh$/.test(unit) ? { device_class: 'energy' } : {}
  const total = {
    p: 'sensor',
    ...energy,
    ...common,
    state_topic: topic,
    state_class: 'total_increasing',
    ...(unit === undefined ? {} : { unit_of_measurement: unit }),
  }
  if (count.publish === undefined) return [total]
  const { device_class: _, ...named } = common
  const rate = {
    p: 'sensor',
    ...named,
    name: `${String(common['name'] ?? name)} rate`,
    unique_id: `${String(common['unique_id'])}${rateSuffix}`,
    state_topic: count.publish,
    value_template: '{{ value_json.rate }}',
    state_class: 'measurement',
    ...(unit === undefined ? {} : rateOf(unit, count.ratePer, deviceClass)),
  }
  return [total, rate]
}

const perWords = { h: 'h', m: 'min', s: 's' } as const

/** Home Assistant's units: kWh an hour are kW, a volume in time is a flow. */
function rateOf(unit: string, per: 'h' | 'm' | 's', deviceClass: string | undefined): object {
  const power = /^([kM]?W)h$/.exec(unit)?.[1]
  if (power !== undefined && per === 'h') return { device_class: 'power', unit_of_measurement: power }
  const rate = `${unit}/${perWords[per]}`
  const isFlow =
    ['m³/h', 'm³/min', 'm³/s', 'L/h', 'L/min', 'L/s'].includes(rate) &&
    ['water', 'gas', 'volume', undefined].includes(deviceClass)
  return { ...(isFlow ? { device_class: 'volume_flow_rate' } : {}), unit_of_measurement: rate }
}
