import { defineAction } from '../core/action.ts'
import { limits } from '../core/limits.ts'

/**
 * `{ gpio: PIN, set: on|off|toggle|blink|NUMBER, for: 30s }`: commands an output pin. With `for` it goes back after
 * that time, and any later command for the pin cancels that; the step itself returns at once.
 * `set` may be left out with `for`: then it is `on`; and with `blink: 500ms`, the time of each phase.
 */
export const gpioAction = defineAction({
  name: 'gpio',
  options: (z) =>
    z
      .strictObject({
        gpio: z.pin().describe('The name of an output pin in pins:'),
        set: z
          .pinCommand()
          .optional()
          .describe('on, off, toggle, blink; for PWM percent, for a servo degrees'),
        blink: z.duration().optional().describe('Blink: how long it is on, and off, each time'),
        for: z.duration().optional().describe('Go back after this time'),
      })
      .superRefine(({ gpio, set, blink, for: forMs }, context) => {
        const issue = (path: string[], message: string): void =>
          context.addIssue({ code: 'custom', path, message })
        if (set === undefined && blink === undefined && forMs === undefined)
          issue([], 'set: is missing: on, off, toggle, blink or a number')
        if (blink !== undefined && set !== undefined && set !== 'blink')
          issue(['blink'], `a pin cannot be set to ${set} and blink; leave out one of the two`)
        if (blink !== undefined && blink < limits.blinkMsMin)
          issue(['blink'], `a phase of ${blink}ms is too short: at least ${limits.blinkMsMin}ms`)
        const command = blink === undefined ? set : 'blink'
        const problem = command === undefined ? undefined : z.commandProblem(gpio, command)
        if (problem !== undefined) issue([blink === undefined ? 'set' : 'blink'], problem)
      }),
  run({ options, gpio }) {
    const { for: forMs, blink: blinkMs } = options
    gpio.set(options.gpio, blinkMs === undefined ? (options.set ?? 'on') : 'blink', {
      ...(forMs === undefined ? {} : { forMs }),
      ...(blinkMs === undefined ? {} : { blinkMs }),
    })
  },
})
