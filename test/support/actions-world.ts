import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ActionHost } from '#src/actions/host.js'
import type { ActionDefinition } from '#src/core/action.js'
import { Counters } from '#src/core/counters.js'
import { DamselflyError } from '#src/core/errors.js'
import { type Event, eventOf } from '#src/core/event.js'
import type { OutgoingMessage } from '#src/core/message.js'
import type { Logger, Pins } from '#src/core/ports.js'
import { type SchemaFacts, schemaTools } from '#src/core/schema.js'

export interface LogLine {
  readonly level: string
  readonly fields: Record<string, unknown>
  readonly message: string
}

export interface RunOptions {
  readonly topic?: string
  readonly payload?: string | Uint8Array
  readonly signal?: AbortSignal
  readonly rule?: string
  readonly chain?: readonly string[]
}

export type World = Awaited<ReturnType<typeof makeWorld>>

/** A host for actions with a folder of its own, which remembers what actions did. */
export async function makeWorld() {
  const dataDir = await mkdtemp(join(tmpdir(), 'damselfly-actions-'))
  const published: OutgoingMessage[] = []
  const commands: unknown[][] = []
  const lines: LogLine[] = []
  const counters = new Counters()
  const host = new ActionHost({
    dataDir,
    log: recordingLog(lines),
    gpio: recordingPins(commands),
    publish: async (message) => {
      published.push(message)
    },
  })
  return {
    dataDir,
    host,
    published,
    commands,
    lines,
    counters,
    /** Runs a step as the dispatcher does, and waits for its end. */
    async run(action: ActionDefinition, step: object, options: RunOptions = {}): Promise<void> {
      const { signal = new AbortController().signal, rule = 'a rule', chain = [rule] } = options
      const run = host.runnerFor(action, rule)
      try {
        await run(parse(action, step), messageEvent(options), () => signal, chain)
      } catch (error) {
        if (error instanceof DamselflyError && error.limit !== undefined) counters.add(error.limit)
        throw error
      }
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await host.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** The options of a step, as the action's schema makes them. */
export function parse(action: ActionDefinition, step: object, facts: SchemaFacts = {}): unknown {
  return action.options(schemaTools(facts)).parse(step)
}

/** What the schema says about a step: the messages of all its issues. */
export function complaints(action: ActionDefinition, step: object, facts: SchemaFacts = {}): string[] {
  const result = action.options(schemaTools(facts)).safeParse(step)
  return result.success ? [] : result.error.issues.map(({ message }) => message)
}

export function messageEvent({ topic = 'home/door', payload = 'on' }: RunOptions = {}): Event {
  const message = { topic, payload: Buffer.from(payload), qos: 1, retain: false, client: 'sensor', chain: [] }
  return eventOf(
    { ...message, qos: 1 },
    { host: 'pi', ip: '192.0.2.7' },
    new Date('2024-05-06T07:08:09.010Z'),
  )
}

function recordingLog(lines: LogLine[]): Logger {
  const write = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields: { ...fields }, message })
  }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

function recordingPins(commands: unknown[][]): Pins {
  return {
    set: (...command) => {
      commands.push(['set', ...command])
    },
    pulse: async (...command) => {
      commands.push(['pulse', ...command])
    },
    state: () => 'off',
  }
}
