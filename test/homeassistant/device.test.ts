import assert from 'node:assert/strict'
import { test } from 'node:test'
import { homeAssistantDefaults } from '#src/core/home-assistant.js'
import { type TelemetryField, telemetryKindOf, telemetryKinds } from '#src/core/telemetry.js'
import { componentsOf, configTopic, deviceMessage, idOf, toldIn } from '#src/homeassistant/device.js'
import { settingsOf } from '../support/config-world.js'

const teller = { name: 'shed', version: '1.2.3', model: 'Raspberry Pi 5 Model B Rev 1.0' }
const allFields = Object.keys(telemetryKindOf) as TelemetryField[]

/** The components of a house with this YAML. */
async function told(yaml: string, telemetry: readonly TelemetryField[] = []) {
  const { settings } = await settingsOf({ yaml, env: 'NAME=shed' })
  const { homeAssistant, pins, sensors } = settings
  return Object.fromEntries(componentsOf({ settings: homeAssistant, pins, sensors, telemetry }, 'shed'))
}

const pin = 'damselfly/shed/pins'
const isOn = "{{ 'off' if value == 'off' else 'on' }}"
const lamp = {
  name: 'lamp',
  unique_id: 'damselfly_shed_pin_lamp',
  state_topic: `${pin}/lamp`,
  command_topic: `${pin}/lamp/set`,
  payload_on: 'on',
  payload_off: 'off',
}

const kinds: readonly [title: string, yaml: string, expected: Readonly<Record<string, object>>][] = [
  [
    'an output is a switch',
    'pins: { lamp: { gpio: 17, out: true } }',
    { switch_pin_lamp: { p: 'switch', ...lamp, value_template: isOn } },
  ],
  [
    'an output that is wished to be a light is one, with another name and an icon',
    `pins: { lamp: { gpio: 17, out: true } }
homeassistant: { pins: { lamp: { as: light, name: Ceiling, icon: mdi:lamp } } }`,
    {
      light_pin_lamp: {
        p: 'light',
        ...lamp,
        name: 'Ceiling',
        icon: 'mdi:lamp',
        state_value_template: isOn,
      },
    },
  ],
  [
    'an input is a binary sensor',
    `pins: { door: { gpio: 27, in: true } }
homeassistant: { pins: { door: { class: door } } }`,
    {
      binary_sensor_pin_door: {
        p: 'binary_sensor',
        name: 'door',
        unique_id: 'damselfly_shed_pin_door',
        device_class: 'door',
        state_topic: `${pin}/door`,
        payload_on: 'on',
        payload_off: 'off',
      },
    },
  ],
  [
    'a PWM pin is a number of percent up to its limit',
    'pins: { fan: { gpio: 18, pwm: true, min: 20, max: 80 } }',
    {
      number_pin_fan: {
        p: 'number',
        name: 'fan',
        unique_id: 'damselfly_shed_pin_fan',
        state_topic: `${pin}/fan`,
        command_topic: `${pin}/fan/set`,
        step: 1,
        mode: 'slider',
        min: 0,
        max: 80,
        unit_of_measurement: '%',
        value_template: '{{ value | float(0) }}',
      },
    },
  ],
  [
    'a servo is a number of degrees, unknown while it gets no pulses',
    'pins: { arm: { gpio: 19, servo: true, min: 10, max: 170 } }',
    {
      number_pin_arm: {
        p: 'number',
        name: 'arm',
        unique_id: 'damselfly_shed_pin_arm',
        state_topic: `${pin}/arm`,
        command_topic: `${pin}/arm/set`,
        step: 1,
        mode: 'slider',
        min: 10,
        max: 170,
        unit_of_measurement: '°',
        payload_reset: 'off',
      },
    },
  ],
  [
    'a counter is a total that only grows, and a rate where that is published',
    `pins: { power: { gpio: 23, in: true, count: { per_pulse: 0.001, publish: home/power } } }
homeassistant: { pins: { power: { unit: kWh } } }`,
    {
      sensor_pin_power: {
        p: 'sensor',
        device_class: 'energy',
        name: 'power',
        unique_id: 'damselfly_shed_pin_power',
        state_topic: `${pin}/power`,
        state_class: 'total_increasing',
        unit_of_measurement: 'kWh',
      },
      'sensor_pin_power.rate': {
        p: 'sensor',
        name: 'power rate',
        unique_id: 'damselfly_shed_pin_power.rate',
        state_topic: 'home/power',
        value_template: '{{ value_json.rate }}',
        state_class: 'measurement',
        device_class: 'power',
        unit_of_measurement: 'kW',
      },
    },
  ],
  [
    'sensors have the units that are known, and are unknown while they are empty',
    `sensors: { attic: { read: w1:28-0316a2795aff }, hum: { read: /sys/hum } }
homeassistant: { sensors: { hum: { class: humidity, unit: "%" } } }`,
    {
      sensor_sensor_attic: {
        p: 'sensor',
        name: 'attic',
        unique_id: 'damselfly_shed_sensor_attic',
        state_topic: 'damselfly/shed/sensors/attic',
        value_template: "{{ value if value else 'None' }}",
        state_class: 'measurement',
        device_class: 'temperature',
        unit_of_measurement: '°C',
      },
      sensor_sensor_hum: {
        p: 'sensor',
        name: 'hum',
        unique_id: 'damselfly_shed_sensor_hum',
        state_topic: 'damselfly/shed/sensors/hum',
        value_template: "{{ value if value else 'None' }}",
        state_class: 'measurement',
        device_class: 'humidity',
        unit_of_measurement: '%',
      },
    },
  ],
  [
    'what is hidden is not told',
    `pins: { lamp: { gpio: 17, out: true } }
sensors: { cpu: { read: cpu } }
homeassistant: { pins: { lamp: false }, sensors: { cpu: false } }`,
    {},
  ],
]

for (const [title, yaml, expected] of kinds)
  test(title, async () => assert.deepEqual(await told(yaml), expected))

test('a PWM pin may be a light or a fan, whose scale is its limit', async () => {
  const yaml = (as: string): string =>
    `pins: { strip: { gpio: 18, pwm: true, max: 60 } }\nhomeassistant: { pins: { strip: { as: ${as} } } }`
  const { light_pin_strip: light } = await told(yaml('light'))
  assert.equal(light?.['brightness_command_topic'], `${pin}/strip/set`)
  assert.equal(light?.['brightness_scale'], 60)
  assert.equal(light?.['on_command_type'], 'brightness')
  const { fan_pin_strip: fan } = await told(yaml('fan'))
  assert.equal(fan?.['percentage_state_topic'], `${pin}/strip`)
  assert.equal(fan?.['speed_range_max'], 60)
})

test('a button is an event and a trigger for each press that it tells apart', async () => {
  const components = await told('pins: { bell: { gpio: 22, in: true, press: { short: a, long: b } } }')
  assert.deepEqual(Object.keys(components), [
    'binary_sensor_pin_bell',
    'event_pin_bell',
    'device_automation_pin_bell.short',
    'device_automation_pin_bell.long',
  ])
  assert.deepEqual(components['event_pin_bell']?.['event_types'], ['short', 'long'])
  assert.deepEqual(components['device_automation_pin_bell.long'], {
    p: 'device_automation',
    automation_type: 'trigger',
    type: 'button_long_press',
    subtype: 'bell',
    topic: `${pin}/bell/press`,
    payload: 'long',
  })
})

// What the schemas of Home Assistant's MQTT integration require, and what they know of what we use.
const common = ['p', 'name', 'unique_id', 'icon', 'device_class', 'entity_category']
const platforms: Readonly<Record<string, { readonly required: string[]; readonly known: string[] }>> = {
  switch: {
    required: ['command_topic', 'unique_id'],
    known: [...common, 'state_topic', 'command_topic', 'payload_on', 'payload_off', 'value_template'],
  },
  light: {
    required: ['command_topic', 'unique_id'],
    known: [
      ...common,
      'state_topic',
      'command_topic',
      'payload_on',
      'payload_off',
      'state_value_template',
      'on_command_type',
      'brightness_command_topic',
      'brightness_state_topic',
      'brightness_value_template',
      'brightness_scale',
    ],
  },
  fan: {
    required: ['command_topic', 'unique_id'],
    known: [
      ...common,
      'state_topic',
      'command_topic',
      'payload_on',
      'payload_off',
      'state_value_template',
      'percentage_command_topic',
      'percentage_state_topic',
      'percentage_value_template',
      'speed_range_max',
    ],
  },
  number: {
    required: ['command_topic', 'unique_id', 'state_topic', 'min', 'max'],
    known: [
      ...common,
      'state_topic',
      'command_topic',
      'value_template',
      'min',
      'max',
      'step',
      'mode',
      'unit_of_measurement',
      'payload_reset',
    ],
  },
  binary_sensor: {
    required: ['state_topic', 'unique_id'],
    known: [...common, 'state_topic', 'payload_on', 'payload_off', 'value_template'],
  },
  sensor: {
    required: ['state_topic', 'unique_id'],
    known: [...common, 'state_topic', 'value_template', 'unit_of_measurement', 'state_class'],
  },
  event: {
    required: ['state_topic', 'unique_id', 'event_types'],
    known: [...common, 'state_topic', 'event_types', 'value_template'],
  },
  device_automation: {
    required: ['automation_type', 'type', 'subtype', 'topic'],
    known: ['p', 'automation_type', 'type', 'subtype', 'topic', 'payload'],
  },
}

const everything = `
pins:
  lamp: { gpio: 17, out: true }
  bulb: { gpio: 5, out: true }
  vent: { gpio: 6, out: true }
  fan: { gpio: 18, pwm: true }
  strip: { gpio: 12, pwm: true }
  cooler: { gpio: 13, pwm: true }
  arm: { gpio: 19, servo: true }
  door: { gpio: 27, in: true }
  bell: { gpio: 22, in: true, press: true }
  power: { gpio: 23, in: true, count: { publish: home/power } }
sensors:
  cpu: { read: cpu }
  raw: { read: /sys/raw, publish: home/raw }
homeassistant:
  area: Garden
  name: Garden shed
  pins:
    bulb: { as: light }
    vent: { as: fan }
    strip: { as: light }
    cooler: { as: fan }
    door: { class: door }
    power: { unit: m³, class: water }
`

test('every component has what its platform requires, nothing that it does not know, and an id of its own', async () => {
  const components = await told(everything, allFields)
  const seen = new Set<string>()
  for (const [key, component] of Object.entries(components)) {
    const platform = platforms[component.p]
    assert.ok(platform, `${key}: ${component.p} is no platform`)
    for (const option of platform.required) assert.ok(option in component, `${key} has no ${option}`)
    for (const option of Object.keys(component))
      assert.ok(platform.known.includes(option), `${key}: ${option} is not known to ${component.p}`)
    seen.add(component.p)
  }
  assert.deepEqual([...seen].sort(), Object.keys(platforms).sort())
  const ids = Object.values(components).flatMap(({ unique_id: id }) => id ?? [])
  assert.equal(new Set(ids).size, ids.length)
})

test('the message has the four parts that Home Assistant knows at its top, and two options for all', async () => {
  const { settings } = await settingsOf({ yaml: everything, env: 'NAME=shed' })
  const { homeAssistant, pins, sensors } = settings
  const components = componentsOf({ settings: homeAssistant, pins, sensors, telemetry: allFields }, 'shed')
  const message = JSON.parse(deviceMessage(components, new Map(), homeAssistant, teller))
  assert.deepEqual(Object.keys(message), ['dev', 'o', 'availability_topic', 'qos', 'cmps'])
  assert.deepEqual(message.dev, {
    ids: ['damselfly_shed'],
    name: 'Garden shed',
    mf: 'Damselfly',
    mdl: 'Raspberry Pi 5 Model B Rev 1.0',
    sw: '1.2.3',
    sa: 'Garden',
  })
  assert.deepEqual(message.o, { name: 'Damselfly', sw: '1.2.3' })
  assert.equal(message.availability_topic, 'damselfly/shed/status')
  assert.equal(telemetryKinds.length, 7)
})

test('a component that is gone has its platform and nothing else, and is not told of again', () => {
  const gone = new Map([['switch_pin_lamp', 'switch']])
  const text = deviceMessage(new Map(), gone, homeAssistantDefaults, teller)
  assert.deepEqual(JSON.parse(text).cmps, { switch_pin_lamp: { p: 'switch' } })
  assert.deepEqual(toldIn(text), new Map())
})

test('what was told is read back; what is no message of ours is not', () => {
  const components = new Map([['switch_pin_lamp', { p: 'switch', name: 'lamp' }]])
  const text = deviceMessage(components, new Map(), homeAssistantDefaults, teller)
  assert.deepEqual(toldIn(text), new Map([['switch_pin_lamp', 'switch']]))
  for (const other of ['', 'x', 'null', '[]', '{}', '{"o":{"name":"other"},"cmps":{}}', '{"o":3}'])
    assert.equal(toldIn(other), undefined)
  assert.deepEqual(toldIn('{"o":{"name":"Damselfly"},"cmps":[{"p":"x","q":1}]}'), new Map())
})

test('a name stands in the topic as it is, or with what keeps it apart from others', () => {
  assert.equal(configTopic('homeassistant', 'shed-2'), 'homeassistant/device/damselfly_shed-2/config')
  for (const name of ['a b', 'a.b', 'Gärten', '小屋'])
    assert.match(idOf(name), /^damselfly_[A-Za-z0-9_-]+_[0-9a-f]{6}$/)
  assert.notEqual(idOf('a b'), idOf('a.b'))
  assert.notEqual(idOf('a b'), idOf('a_b'))
})
