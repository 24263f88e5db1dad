import assert from 'node:assert/strict'
import { test } from 'node:test'
import { homeAssistantDefaults } from '#src/core/home-assistant.js'
import { brief, problemsOf, settingsOf } from '../support/config-world.js'

const house = `
pins:
  lamp: { gpio: 17, out: true }
  fan: { gpio: 18, pwm: true }
  arm: { gpio: 19, servo: true }
  door: { gpio: 27, in: true }
sensors:
  cpu: { read: cpu }
`

const readings: readonly [yaml: string, expected: object][] = [
  ['', {}],
  ['homeassistant:', {}],
  ['homeassistant: auto', {}],
  ['homeassistant: true', { mode: 'on' }],
  ['homeassistant: false', { mode: 'off' }],
  ['homeassistant: { area: Garage, name: Shed }', { mode: 'on', area: 'Garage', name: 'Shed' }],
  ['homeassistant: { announce: auto, prefix: my/ha }', { mode: 'auto', prefix: 'my/ha' }],
  [
    'homeassistant: { pins: { lamp: { as: light, name: Lamp, icon: mdi:lamp }, door: false }, sensors: { cpu: { class: temperature, unit: °F } } }',
    {
      mode: 'on',
      pins: new Map<string, object>([
        ['lamp', { isHidden: false, as: 'light', name: 'Lamp', icon: 'mdi:lamp' }],
        ['door', { isHidden: true }],
      ]),
      sensors: new Map([['cpu', { isHidden: false, deviceClass: 'temperature', unit: '°F' }]]),
    },
  ],
]

for (const [yaml, expected] of readings)
  test(`${yaml || 'nothing'} is read`, async () => {
    const { settings } = await settingsOf({ yaml: house + yaml })
    assert.deepEqual(settings.homeAssistant, { ...homeAssistantDefaults, ...expected })
  })

const mistakes: readonly [yaml: string, expected: string][] = [
  [
    'homeassistant: on',
    '8:16 homeassistant is not one of its values | found on | expected true, false, auto, or a map such as { area: Garage } | try true',
  ],
  [
    'homeassistant: { aera: x }',
    '8:18 homeassistant has no key "aera" | expected one of announce, prefix, name, area, pins, sensors | try area',
  ],
  [
    'homeassistant: { announce: sometimes }',
    '8:28 "announce" of homeassistant is not one of its values | found sometimes | expected true, false or auto',
  ],
  [
    'homeassistant: { prefix: ha/ }',
    '8:26 "prefix" of homeassistant is not the beginning of topics: a / at its end | found ha/ | expected homeassistant, or what the settings of its MQTT integration say',
  ],
  [
    'homeassistant: { pins: { lmp: { name: x } } }',
    '8:26 there is no pin "lmp" | expected one of those below pins: | try lamp',
  ],
  [
    'homeassistant: { sensors: { lamp: { name: x } } }',
    '8:29 there is no sensor "lamp" | expected one of those below sensors:',
  ],
  [
    'homeassistant: { pins: { lamp: light } }',
    '8:32 the pin "lamp" is not a map | found light | expected { name: …, class: … }, or false to hide it',
  ],
  [
    'homeassistant: { pins: { lamp: { as: number } } }',
    '8:38 "as" of the pin "lamp" does not fit it | found number | expected switch, light, fan',
  ],
  [
    'homeassistant: { pins: { arm: { as: fan } } }',
    '8:37 "as" of the pin "arm" does not fit it | found fan | expected number',
  ],
  [
    'homeassistant: { pins: { door: { as: light } } }',
    '8:38 "as" of the pin "door" does not fit it | found light | expected no "as": it is an input',
  ],
  [
    'homeassistant: { pins: { lamp: { as: bulb } } }',
    '8:38 "as" of the pin "lamp" is not one of its values | found bulb | expected switch, light, fan or number',
  ],
]

for (const [yaml, expected] of mistakes)
  test(`${yaml} is a mistake`, async () => {
    assert.deepEqual((await problemsOf({ yaml: house.trimStart() + yaml })).map(brief), [expected])
  })

test('a pin with a mistake of its own is named without another one', async () => {
  const yaml = 'pins: { lamp: { gpio: x, out: maybe } }\nhomeassistant: { pins: { lamp: { as: light } } }'
  const problems = await problemsOf({ yaml })
  assert.ok(problems.every(({ place }) => place.line === 1))
})
