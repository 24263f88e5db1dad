import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { readSettings, type SettingsReading } from '#src/config/read-settings.js'
import type { Environment } from '#src/config/variables.js'
import { type ActionDefinition, defineAction } from '#src/core/action.js'
import { type Event, eventOf } from '#src/core/event.js'
import { type ExpressionCompiler, ExpressionError } from '#src/core/expression.js'
import type { ActionCatalogue } from '#src/core/ports.js'
import { formatProblem, type Problem, ProblemsError } from '#src/core/problems.js'

/** A folder with these files in it, which goes away at the end. */
export async function folderOf(files: Readonly<Record<string, string | Uint8Array>>) {
  const path = await mkdtemp(join(tmpdir(), 'damselfly-config-'))
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    await writeFile(join(path, name), content, { mode: 0o640 })
  }
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

const path = /^(?:payload|topic|levels)(?:\.\w+)*(?: (?:==|>) (?:"\w*"|\d+))?$/

/** Knows paths into the event and one comparison; an expression goes wrong at its first `@`, or at once. */
export const standInCompiler: ExpressionCompiler = {
  expression(source) {
    if (!path.test(source))
      throw new ExpressionError('this expression is not understood', Math.max(0, source.indexOf('@')))
    return { source, evaluate: (event) => lookUp(event, source) }
  },
  template(text) {
    const parts = [...text.matchAll(/\$\{([^}]*)\}/g)]
    const open = text.indexOf('${')
    if (open === -1) return undefined
    if (parts.length === 0) throw new ExpressionError('a } is missing', open)
    const compiled = parts.map((part) => {
      try {
        return this.expression(part[1] as string)
      } catch (error) {
        if (!(error instanceof ExpressionError)) throw error
        throw new ExpressionError(error.message, part.index + 2 + error.offset)
      }
    })
    const render = (event: Event): unknown => {
      if (parts[0]?.[0] === text) return compiled[0]?.evaluate(event)
      let next = 0
      return text.replaceAll(/\$\{([^}]*)\}/g, () => String(compiled[next++]?.evaluate(event)))
    }
    return { text, render }
  },
  condition(source) {
    const expression = this.expression(source)
    return { text: source, test: (event) => ({ holds: Boolean(expression.evaluate(event)) }) }
  },
  conditionMap(fields) {
    return { text: JSON.stringify(fields), test: () => ({ holds: true }) }
  },
  withPins() {
    return this
  },
}

function lookUp(event: Event, source: string): unknown {
  let at: unknown = event
  for (const key of source.split(' ')[0]?.split('.') ?? [])
    at = (at as Record<string, unknown> | undefined)?.[key]
  return at
}

export const gpio = defineAction({
  name: 'gpio',
  options: (z) =>
    z.object({
      gpio: z.pin().describe('The output pin.'),
      set: z.enum(['on', 'off', 'toggle']),
      for: z.duration().optional(),
    }),
  run: () => {},
})

export const publish = defineAction({
  name: 'publish',
  options: (z) =>
    z
      .object({
        publish: z.topic(),
        text: z.string().optional(),
        json: z.json().optional(),
        qos: z.union([z.literal(0), z.literal(1), z.literal(2)]).default(0),
        retain: z.boolean().default(false),
        headers: z.record(z.string(), z.string()).optional(),
        many: z.array(z.object({ to: z.string(), level: z.number().min(1).max(9) })).optional(),
      })
      .refine(
        (options) => (options.text === undefined) !== (options.json === undefined),
        'exactly one of text and json',
      ),
  run: () => {},
})

export const exec = defineAction({
  name: 'exec',
  options: (z) =>
    z.object({ exec: z.union([z.string(), z.array(z.string()).min(1)]), publish: z.topic().optional() }),
  timeoutMs: 5_000,
  run: () => {},
})

export const slow = defineAction({
  name: 'slow',
  options: (z) => z.object({ slow: z.number(), timeout: z.duration().default('1s') }),
  run: () => {},
})

export function catalogueOf(...actions: readonly ActionDefinition[]): ActionCatalogue {
  const byName = new Map(actions.map((action) => [action.name, action]))
  return { get: (name) => byName.get(name), names: () => [...byName.keys()] }
}

export const standIns: readonly ActionDefinition[] = [
  gpio,
  publish,
  exec,
  slow,
] as unknown as ActionDefinition[]

export interface WorldRequest {
  readonly yaml?: string | Uint8Array
  readonly env?: string | Uint8Array
  /** More files, by path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  readonly environment?: Environment
  readonly actions?: readonly ActionDefinition[]
  readonly actionProblems?: readonly Problem[]
  /** The stand-in unless told. */
  readonly compiler?: ExpressionCompiler
}

/** Reads the settings of a world that has these two files. */
export async function settingsOf(world: WorldRequest): Promise<SettingsReading> {
  const files: Record<string, string | Uint8Array> = { ...world.files }
  if (world.yaml !== undefined) files['config/damselfly.yaml'] = world.yaml
  if (world.env !== undefined) files['.env'] = world.env
  await using folder = await folderOf(files)
  return await readSettings({
    cwd: folder.path,
    environment: world.environment ?? {},
    compiler: world.compiler ?? standInCompiler,
    loadActions: async () => ({
      catalogue: catalogueOf(...(world.actions ?? standIns)),
      problems: world.actionProblems ?? [],
    }),
    isTerminal: false,
  })
}

/** The mistakes of a world; empty when it has none. */
export async function problemsOf(world: WorldRequest): Promise<readonly Problem[]> {
  try {
    await settingsOf(world)
    return []
  } catch (error) {
    if (error instanceof ProblemsError) return error.problems
    throw error
  }
}

/** `line:column message | found | expected | try`, what is absent left out. */
export function brief({ place, message, found, expected, suggestion }: Problem): string {
  const parts = [
    found === undefined ? undefined : `found ${found}`,
    expected === undefined ? undefined : `expected ${expected}`,
    suggestion === undefined ? undefined : `try ${suggestion}`,
  ].filter((part) => part !== undefined)
  return [`${place.line}:${place.column} ${message}`, ...parts].join(' | ')
}

export function printed(problems: readonly Problem[]): string {
  return problems.map(formatProblem).join('\n\n')
}

/** An event of a message with this payload. */
export function eventWith(payload: unknown): Event {
  const bytes = Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload))
  return eventOf(
    { topic: 'home/lamp', payload: bytes, qos: 0, retain: false, client: 'test', chain: [] },
    { host: 'pi', ip: '192.0.2.1' },
  )
}
