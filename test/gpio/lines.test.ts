import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listLines, resolveLine } from '#src/gpio/lines.js'

const header = Array.from({ length: 28 }, (_, line) => `GPIO${line}`)
const pi4 = {
  path: '/dev/gpiochip0',
  label: 'pinctrl-bcm2711',
  lineNames: [...header, 'RGMII_MDIO', '', 'SD_CLK_R'],
}
const oldNames = ['ID_SDA', 'ID_SCL', 'SDA1', 'SCL1', 'GPIO_GCLK', 'GPIO5', 'GPIO6']
const pi3 = { path: '/dev/gpiochip0', label: 'pinctrl-bcm2835', lineNames: [...oldNames, ...header.slice(7)] }
const shifted = { path: '/dev/gpiochip2', label: 'board', lineNames: ['', 'GPIO17', 'GPIO4', 'NC', 'NC'] }
const nameless = { path: '/dev/gpiochip1', label: 'expander', lineNames: Array(8).fill('') as string[] }

const found = [
  { what: 'the line named GPIO17', chip: pi4, choice: 17, offset: 17 },
  { what: 'a name', chip: pi4, choice: 'RGMII_MDIO', offset: 28 },
  { what: 'the name before the offset', chip: shifted, choice: 4, offset: 2 },
  { what: 'header number 4 of a Pi that names it otherwise', chip: pi3, choice: 4, offset: 4 },
  { what: 'the offset on a chip without names', chip: nameless, choice: 7, offset: 7 },
]

for (const { what, chip, choice, offset } of found)
  test(`a line is found: ${what}`, () => assert.equal(resolveLine(chip, choice), offset))

const refused = [
  { what: 'past the header', chip: pi4, choice: 28, message: /no line GPIO28/ },
  {
    what: 'a line of the SD card by its number',
    chip: pi4,
    choice: 30,
    message: /GPIO0 to GPIO27, RGMII_MDIO, SD/,
  },
  { what: 'an unknown name', chip: pi4, choice: 'GPOI17', message: /no line GPOI17; it has GPIO0 to GPIO27/ },
  { what: 'a number among named lines', chip: shifted, choice: 1, message: /it has GPIO17, GPIO4/ },
  {
    what: 'a name that two lines have',
    chip: shifted,
    choice: 'NC',
    message: /lines 3 and 4 are both named NC/,
  },
  { what: 'past the last line', chip: nameless, choice: 8, message: /lines 0 to 7, which have no names/ },
  { what: 'no whole number', chip: nameless, choice: 1.5, message: /no line GPIO1\.5/ },
  { what: 'below zero', chip: nameless, choice: -1, message: /no line GPIO-1/ },
  { what: 'no name at all', chip: nameless, choice: '', message: /no line/ },
]

for (const { what, chip, choice, message } of refused)
  test(`a line is refused with those there are: ${what}`, () => {
    assert.throws(() => resolveLine(chip, choice), { code: 'GPIO_NO_LINE', message })
  })

test('lines in a row are drawn together, others are told one by one', () => {
  assert.equal(
    listLines(['ID_SDA', '', 'GPIO2', 'GPIO3', 'GPIO4', 'X', 'GPIO9', 'GPIO10', 'GPIO12']),
    'ID_SDA, GPIO2 to GPIO4, X, GPIO9, GPIO10, GPIO12',
  )
})
