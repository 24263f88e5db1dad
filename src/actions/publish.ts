import { defineAction } from '../core/action.ts'
import { bodyOf, bodyOptions, oneBody } from './body.ts'

/**
 * `{ publish: TOPIC, json: … }` or `{ publish: TOPIC, text: … }`: publishes a message.
 * Without a body the payload is empty, which with `retain: true` clears what was retained [MQTT-3.3.1-10].
 */
export const publishAction = defineAction({
  name: 'publish',
  options: (z) =>
    z
      .strictObject({
        publish: z.topic().describe('The topic'),
        ...bodyOptions(z),
        qos: z.literal([0, 1, 2], '0, 1 or 2').default(0),
        retain: z.boolean('true or false').default(false),
      })
      .superRefine(oneBody),
  run({ options, publish }) {
    const { publish: topic, qos, retain } = options
    return publish({ topic, payload: bodyOf(options) ?? '', qos, retain })
  },
})
