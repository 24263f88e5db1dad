import { userInfo } from 'node:os'
import type { z } from 'zod'
import { type ActionDefinition, defineAction } from '../core/action.ts'
import type { Event } from '../core/event.ts'
import type { SchemaTools } from '../core/schema.ts'
import { plainText } from './plain.ts'
import { Programs } from './program.ts'

const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * `{ exec: [PROGRAM, ARGUMENT, …] }`: runs a program, without a shell. It gets the payload on its standard
 * input, and an environment that holds nothing but what is made here: never ours, which has secrets.
 * Fails with `EXEC_FAILED` unless the exit code is 0.
 */
export function execAction(): ActionDefinition {
  const programs = new Programs()
  return defineAction({
    name: 'exec',
    options: (z) =>
      z.strictObject({
        exec: command(z).describe('The program and its arguments, as a list'),
        publish: z.topic().optional().describe('Publish what the program writes to its standard output'),
        cwd: z
          .string('an absolute path')
          .regex(/^\/[^\0]*$/, 'an absolute path')
          .optional(),
        env: z
          .record(
            z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a name such as LANG'),
            z.unknown().transform(plainText),
          )
          .optional()
          .describe('Environment variables to add'),
      }),
    async run({ options, event, rule, publish, signal }) {
      const [file = '', ...args] = options.exec
      const output = await programs.run({
        file,
        args,
        cwd: options.cwd,
        env: { ...environment(event, rule), ...options.env },
        input: event.bytes,
        wantsOutput: options.publish !== undefined,
        signal,
      })
      if (options.publish !== undefined) {
        await publish({ topic: options.publish, payload: withoutLastNewline(output) })
      }
    },
    stop: () => programs.kill(),
  })
}

function command(z: SchemaTools) {
  return z
    .array(z.unknown().transform(plainText), {
      error: ({ input }) =>
        `the program and its arguments as a list, for no shell reads it: ${listForm(input)}`,
    })
    .min(1)
    .superRefine(checkCommand)
}

function checkCommand(command: readonly string[], context: z.RefinementCtx): void {
  const [file] = command
  if (file === undefined) return // an empty list has been told already
  if (file === '' || (file.includes('/') && !file.startsWith('/'))) {
    context.addIssue({
      code: 'custom',
      path: [0],
      message: `"${file}" is neither an absolute path, such as /usr/bin/aplay, nor a program's name, such as aplay`,
    })
  }
  const index = command.findIndex((argument) => argument.includes('\0'))
  if (index >= 0)
    context.addIssue({ code: 'custom', path: [index], message: 'an argument cannot hold U+0000' })
}

function listForm(input: unknown): string {
  const words = typeof input === 'string' ? input.split(/\s+/).filter((word) => word !== '') : []
  return `exec: [${words.length > 0 ? words.join(', ') : '/usr/bin/aplay, alarm.wav'}]`
}

function environment(event: Event, rule: string): Record<string, string> {
  const ours = { PATH: searchPath, HOME: homeFolder(), LANG: 'C.UTF-8', DAMSELFLY_RULE: rule }
  if (event.topic === '') return ours
  return {
    ...ours,
    MQTT_TOPIC: event.topic.replaceAll('\0', ''),
    MQTT_CLIENT: event.client.replaceAll('\0', ''),
    MQTT_QOS: String(event.qos),
    MQTT_RETAIN: String(event.retain),
  }
}

function homeFolder(): string {
  try {
    return userInfo().homedir
  } catch {
    return '/' // a user that has no entry in the user database
  }
}

function withoutLastNewline(output: Buffer): Buffer {
  if (output.at(-1) !== 0x0a) return output
  return output.subarray(0, output.at(-2) === 0x0d ? -2 : -1)
}
