import type { EntityWish } from '../core/home-assistant.ts'
import { type InputPin, isCounter, type Pin, type PressKind, type PwmPin } from '../core/pin.ts'
import type { Component, HouseNames } from './component.ts'
import { meterComponents } from './meter-components.ts'

const shown: EntityWish = { isHidden: false }

/** What Home Assistant is told of a pin: an output is a switch, light, fan or number, an input a sensor. */
export function pinComponents(
  pin: Pin,
  { topic: house, id }: HouseNames,
  wish: EntityWish = shown,
): readonly Component[] {
  if (wish.isHidden) return []
  const topic = `${house}/pins/${pin.name}`
  const common = {
    name: wish.name ?? pin.name,
    unique_id: `${id}_pin_${pin.name}`,
    ...(wish.icon === undefined ? {} : { icon: wish.icon }),
    ...(wish.deviceClass === undefined ? {} : { device_class: wish.deviceClass }),
  }
  if (pin.direction === 'out') return [switched(topic, common, wish)]
  if (pin.direction === 'pwm') return [pulsed(topic, common, pin, wish)]
  if (isCounter(pin)) return meterComponents(pin, topic, common, wish)
  return [contact(topic, common), ...presses(topic, common, pin)]
}

type Common = Readonly<Record<string, unknown>>

// blinking is on, too
const isOn = "{{ 'off' if value == 'off' else 'on' }}"

/** `off` is nothing; so is a value that is no number, such as `blink`. */
const level = '{{ value | float(0) }}'

function commanded(topic: string): Common {
  return { state_topic: topic, command_topic: `${topic}/set` }
}

function switched(topic: string, common: Common, { as = 'switch' }: EntityWish): Component {
  const template = as === 'switch' ? { value_template: isOn } : { state_value_template: isOn }
  return { p: as, ...common, ...commanded(topic), payload_on: 'on', payload_off: 'off', ...template }
}

function pulsed(topic: string, common: Common, pin: PwmPin, { as = 'number' }: EntityWish): Component {
  const onOff = { payload_on: 'on', payload_off: 'off', state_value_template: isOn }
  const most = Math.round(pin.max)
  if (as === 'light')
    return {
      p: as,
      ...common,
      ...commanded(topic),
      ...onOff,
      on_command_type: 'brightness',
      brightness_command_topic: `${topic}/set`,
      brightness_state_topic: topic,
      brightness_value_template: level,
      brightness_scale: Math.max(1, most),
    }
  if (as === 'fan')
    return {
      p: as,
      ...common,
      ...commanded(topic),
      ...onOff,
      percentage_command_topic: `${topic}/set`,
      percentage_state_topic: topic,
      percentage_value_template: level,
      speed_range_max: Math.max(2, most),
    }
  const range = { ...common, ...commanded(topic), step: 1, mode: 'slider' }
  if (pin.scale.kind === 'duty')
    return { p: 'number', ...range, min: 0, max: pin.max, unit_of_measurement: '%', value_template: level }
  return {
    p: 'number',
    ...range,
    min: pin.min,
    max: pin.max,
    unit_of_measurement: '°',
    payload_reset: 'off', // a servo without pulses has no known angle
  }
}

function contact(topic: string, common: Common): Component {
  return { p: 'binary_sensor', ...common, state_topic: topic, payload_on: 'on', payload_off: 'off' }
}

const triggerTypes: Readonly<Record<PressKind, string>> = {
  short: 'button_short_press',
  long: 'button_long_press',
  double: 'button_double_press',
}

/** A button is an event, for dashboards, and the device's triggers, for automations. */
function presses(topic: string, common: Common, { name, press }: InputPin): readonly Component[] {
  if (press === undefined) return []
  const kinds: PressKind[] = ['short']
  if (press.longMs !== undefined) kinds.push('long')
  if (press.doubleMs !== undefined) kinds.push('double')
  const { device_class: _, ...named } = common
  const event = {
    p: 'event',
    ...named,
    unique_id: `${String(common['unique_id'])}.press`,
    device_class: 'button',
    state_topic: `${topic}/press`,
    event_types: kinds,
    value_template: '{"event_type": "{{ value }}"}',
  }
  const triggers = kinds.map((kind) => ({
    p: 'device_automation',
    automation_type: 'trigger',
    type: triggerTypes[kind],
    subtype: name,
    topic: `${topic}/press`,
    payload: kind,
  }))
  return [event, ...triggers]
}
