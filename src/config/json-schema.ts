import type { ActionDefinition } from '../core/action.ts'
import { DamselflyError } from '../core/errors.ts'
import type { ActionCatalogue } from '../core/ports.ts'
import { zod } from '../core/zod.ts'
import { schemaOf } from './action-schemas.ts'
import { bridgeKeys, bridgeTlsKeys, bridgeTopicKeys } from './vocabulary/bridges.ts'
import { definitions } from './vocabulary/definitions.ts'
import { entityKeys, homeAssistantKeys, sensorKeys, telemetryKeys } from './vocabulary/house.ts'
import { listenerKeys } from './vocabulary/listeners.ts'
import { bothPinKeys, inputPinKeys, outputPinKeys, pwmPinKeys, servoPinKeys } from './vocabulary/pins.ts'
import { ruleKeys, stepKeys } from './vocabulary/rules.ts'
import { topKeys } from './vocabulary/top.ts'

type Json = Readonly<Record<string, unknown>>

/**
 * The JSON Schema of `damselfly.yaml` for editors, draft 7 (what the YAML extension of VS Code speaks best),
 * with the options of these actions. The same catalogue gives the same text.
 * @throws DamselflyError `ACTION_INVALID`
 */
export function jsonSchema(catalogue: ActionCatalogue): Json {
  const names = [...catalogue.names()].sort()
  const steps: Record<string, unknown> = {}
  for (const name of names) {
    const definition = catalogue.get(name)
    if (definition !== undefined) Object.assign(steps, stepDefinitions(definition))
  }
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'damselfly.yaml',
    description: 'Pins, sensors, bridges and rules of Damselfly.',
    type: ['object', 'null'],
    properties: topKeys,
    additionalProperties: false,
    definitions: {
      ...definitions,
      pin: {
        anyOf: [
          pin(outputPinKeys, 'out'),
          pin(inputPinKeys, 'in'),
          pin(pwmPinKeys, 'pwm'),
          pin(servoPinKeys, 'servo'),
        ],
      },
      sensor: {
        type: 'object',
        properties: sensorKeys,
        required: ['read'],
        additionalProperties: false,
      },
      telemetry: { type: 'object', properties: telemetryKeys, additionalProperties: false },
      homeassistant: { type: 'object', properties: homeAssistantKeys, additionalProperties: false },
      entity: { type: 'object', properties: entityKeys, additionalProperties: false },
      listener: {
        type: 'object',
        properties: listenerKeys,
        oneOf: [{ required: ['port'] }, { required: ['unix'] }],
        additionalProperties: false,
      },
      bridge: {
        type: 'object',
        properties: bridgeKeys,
        required: ['address', 'topics'],
        dependencies: { password_file: ['username'] },
        additionalProperties: false,
      },
      bridgeTopic: {
        type: 'object',
        properties: bridgeTopicKeys,
        oneOf: [{ required: ['topic'] }, { required: ['local', 'remote'] }],
        additionalProperties: false,
      },
      bridgeTls: {
        type: 'object',
        properties: bridgeTlsKeys,
        dependencies: { certificate: ['key'], key: ['certificate'] },
        additionalProperties: false,
      },
      rule: {
        type: 'object',
        properties: ruleKeys,
        required: ['do'],
        oneOf: [{ required: ['on'] }, { required: ['every'] }, { required: ['at'] }],
        dependencies: {
          until: ['when'],
          after: ['on'],
          else: { anyOf: [{ required: ['when'] }, { required: ['after'] }] },
        },
        additionalProperties: false,
      },
      step:
        names.length === 0
          ? { type: 'object' }
          : { anyOf: names.map((name) => ({ $ref: `#/definitions/${stepName(name)}` })) },
      ...steps,
    },
  }
}

function pin(keys: object, direction: 'in' | 'out' | 'pwm' | 'servo'): Json {
  return {
    type: 'object',
    properties: { ...bothPinKeys, ...keys },
    required: ['gpio', direction],
    additionalProperties: false,
  }
}

function stepName(action: string): string {
  return `step-${action}`
}

function stepDefinitions(definition: ActionDefinition): Record<string, unknown> {
  const known = schemaOf(definition)
  if (typeof known === 'string') throw new DamselflyError('ACTION_INVALID', known)
  const schema = zod.toJSONSchema(known.schema, { target: 'draft-7', io: 'input', unrepresentable: 'any' })
  const { $schema: _, definitions: shared = {}, ...root } = schema as Json & { definitions?: Json }
  const own = stepName(definition.name)
  // what zod shares within one schema becomes shared within the whole
  const moved = (json: unknown): unknown =>
    mapJson(json, (key, value) => {
      if (key !== '$ref' || typeof value !== 'string') return value
      return value === '#' ? `#/definitions/${own}` : value.replace('#/definitions/', `#/definitions/${own}-`)
    })
  const found: Record<string, unknown> = { [own]: step(moved(root) as Json, definition.name) }
  for (const [name, part] of Object.entries(shared)) found[`${own}-${name}`] = withTemplates(moved(part))
  return found
}

function step(schema: Json, action: string): Json {
  const properties = schema['properties']
  if (typeof properties !== 'object' || properties === null) return schema
  const required = Array.isArray(schema['required']) ? (schema['required'] as unknown[]) : []
  return {
    ...schema,
    properties: { ...(mapValues(properties, orTemplate) as Json), ...withoutKeys(stepKeys, properties) },
    required: required.includes(action) ? required : [action, ...required],
  }
}

function withoutKeys(keys: object, taken: object): object {
  return Object.fromEntries(Object.entries(keys).filter(([key]) => !Object.hasOwn(taken, key)))
}

/** A value's schema, or a template in its place; what takes any text takes templates already. */
function orTemplate(schema: unknown): unknown {
  const inner = withTemplates(schema)
  if (typeof inner !== 'object' || inner === null || takesAnyText(inner as Json)) return inner
  const { description, default: fallback, ...rest } = inner as Json
  return {
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    anyOf: [rest, { $ref: '#/definitions/template' }],
  }
}

/** The same schema, with templates allowed for the values inside it. */
function withTemplates(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  const json = schema as Json
  const changed: Record<string, unknown> = { ...json }
  if (isObject(json['properties'])) changed['properties'] = mapValues(json['properties'], orTemplate)
  if (isObject(json['additionalProperties']))
    changed['additionalProperties'] = orTemplate(json['additionalProperties'])
  if (Array.isArray(json['items'])) changed['items'] = json['items'].map(orTemplate)
  else if (isObject(json['items'])) changed['items'] = orTemplate(json['items'])
  for (const key of ['anyOf', 'oneOf', 'allOf'])
    if (Array.isArray(json[key])) changed[key] = (json[key] as unknown[]).map(withTemplates)
  return changed
}

function takesAnyText(schema: Json): boolean {
  const branches = schema['anyOf']
  if (Array.isArray(branches)) return branches.some((branch) => isObject(branch) && takesAnyText(branch))
  const says = Object.keys(schema).filter(
    (key) => !['description', 'default', 'examples', 'title'].includes(key),
  )
  return says.length === 0 || (says.length === 1 && schema['type'] === 'string')
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function mapValues(map: object, change: (value: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value)]))
}

function mapJson(json: unknown, change: (key: string, value: unknown) => unknown): unknown {
  if (Array.isArray(json)) return json.map((part) => mapJson(part, change))
  if (!isObject(json)) return json
  return Object.fromEntries(
    Object.entries(json).map(([key, value]) => [key, mapJson(change(key, value), change)]),
  )
}
