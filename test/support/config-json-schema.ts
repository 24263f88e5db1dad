import { deepEqual } from 'node:assert/strict'

type Json = Readonly<Record<string, unknown>>

/** Whether a value fits a JSON Schema (draft 7), as far as that of `damselfly.yaml` goes. An unknown word throws. */
export function fitsSchema(root: Json, value: unknown, schema: Json = root): boolean {
  const fits = (part: unknown, of: unknown = value): boolean => fitsSchema(root, of, part as Json)
  return Object.entries(schema).every(([word, says]) => {
    switch (word) {
      case '$schema':
      case 'title':
      case 'description':
      case 'default':
      case 'examples':
      case 'definitions':
        return true
      case '$ref':
        return fits((root['definitions'] as Json)[String(says).replace('#/definitions/', '')])
      case 'type':
        return [says].flat().some((type) => isOfType(value, type))
      case 'const':
        return isEqual(value, says)
      case 'enum':
        return (says as unknown[]).some((one) => isEqual(value, one))
      case 'allOf':
        return (says as unknown[]).every((one) => fits(one))
      case 'anyOf':
        return (says as unknown[]).some((one) => fits(one))
      case 'oneOf':
        return (says as unknown[]).filter((one) => fits(one)).length === 1
      case 'pattern':
        return typeof value !== 'string' || new RegExp(String(says)).test(value)
      case 'minLength':
        return typeof value !== 'string' || value.length >= Number(says)
      case 'minItems':
        return !Array.isArray(value) || value.length >= Number(says)
      case 'maxItems':
        return !Array.isArray(value) || value.length <= Number(says)
      case 'minimum':
        return typeof value !== 'number' || value >= Number(says)
      case 'maximum':
        return typeof value !== 'number' || value <= Number(says)
      case 'items':
        return !Array.isArray(value) || value.every((item) => fits(says, item))
      case 'required':
        return !isMap(value) || (says as string[]).every((key) => Object.hasOwn(value, key))
      case 'dependencies':
        return (
          !isMap(value) ||
          Object.entries(says as Json).every(
            ([key, part]) =>
              !Object.hasOwn(value, key) || fits(Array.isArray(part) ? { required: part } : part),
          )
        )
      case 'propertyNames':
        return !isMap(value) || Object.keys(value).every((key) => fits(says, key))
      case 'properties':
        return (
          !isMap(value) ||
          Object.entries(says as Json).every(
            ([key, part]) => !Object.hasOwn(value, key) || fits(part, value[key]),
          )
        )
      case 'additionalProperties': {
        const known = Object.keys((schema['properties'] ?? {}) as Json)
        if (!isMap(value)) return true
        const others = Object.keys(value).filter((key) => !known.includes(key))
        return says === false ? others.length === 0 : others.every((key) => fits(says, value[key]))
      }
      default:
        throw new Error(`the schema has a word that this check does not know: ${word}`)
    }
  })
}

function isOfType(value: unknown, type: unknown): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return isMap(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

function isMap(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isEqual(a: unknown, b: unknown): boolean {
  try {
    deepEqual(a, b)
    return true
  } catch {
    return false
  }
}
