import type { z } from 'zod'
import { defineAction } from '../core/action.ts'
import { nearest } from '../core/nearest.ts'
import type { PinCommand } from '../core/pin.ts'
import type { SchemaTools } from '../core/schema.ts'

const commands = ['on', 'off', 'toggle'] as const

const commandOf: ReadonlyMap<string, PinCommand> = new Map<string, PinCommand>([
  ...commands.map((command) => [command, command] as const),
  ['true', 'on'],
  ['false', 'off'],
  ['1', 'on'],
  ['0', 'off'],
])

/**
 * `{ gpio: PIN, set: on|off|toggle, for: 30s }`: switches an output pin. With `for` it switches back after
 * that time, and any later command for the pin cancels that; the step itself returns at once.
 * `set` may be left out with `for`: then it is `on`.
 */
export const gpioAction = defineAction({
  name: 'gpio',
  options: (z) =>
    z
      .strictObject({
        gpio: z.pin().describe('The name of an output pin in pins:'),
        set: command(z).optional(),
        for: z.duration().optional().describe('Switch back after this time'),
      })
      .superRefine((options, context) => {
        if (options.set === undefined && options.for === undefined)
          context.addIssue({ code: 'custom', message: 'set: is missing: on, off or toggle' })
      }),
  run({ options, gpio }) {
    const forMs = options.for
    gpio.set(options.gpio, options.set ?? 'on', forMs === undefined ? {} : { forMs })
  },
})

// What devices send for on and off is as good as the words: true, 1, "ON", "1".
function command(z: SchemaTools) {
  return z
    .union([z.enum(commands), z.boolean(), z.literal([0, 1]), z.string()], 'on, off or toggle')
    .transform((value, context): PinCommand => {
      const word = String(value).trim().toLowerCase()
      const found = commandOf.get(word)
      if (found !== undefined) return found
      refuse(word, context)
      return z.NEVER
    })
}

function refuse(word: string, context: z.RefinementCtx): void {
  const near = nearest(word, commands)
  context.addIssue({
    code: 'custom',
    message: `"${word.slice(0, 40)}" is not on, off or toggle`,
    params: near === undefined ? {} : { suggestion: near },
  })
}
