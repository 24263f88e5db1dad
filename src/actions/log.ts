import { defineAction } from '../core/action.ts'
import { limits } from '../core/limits.ts'
import { oneLine, plainText } from './plain.ts'

/**
 * `{ log: TEXT, level: info }`: writes a line, with the rule and the topic as fields. A value that is no
 * text is written as JSON. One step writes one line of at most `limits.logTextCharsMax` characters.
 */
export const logAction = defineAction({
  name: 'log',
  options: (z) =>
    z.strictObject({
      log: z.unknown().describe('A text, or any value, which is written as JSON'),
      level: z.enum(['debug', 'info', 'warn', 'error'], 'debug, info, warn or error').default('info'),
    }),
  run({ options, event, log }) {
    const fields = event.topic === '' ? {} : { topic: event.topic }
    log[options.level](fields, oneLine(plainText(options.log), limits.logTextCharsMax))
  },
})
