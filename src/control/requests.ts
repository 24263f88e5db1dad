import { filterProblem } from '../core/topics.ts'
import { type ControlRequest, protocolVersion } from './protocol.ts'

const known =
  'known are {"get":"status"}, {"get":"pins"}, {"get":"clients"}, {"get":"client","id":"esp32"}, {"kick":"esp32"}, {"do":"reload"}, {"watch":"pins"}, {"watch":"topics","filter":"home/#"} and {"watch":"trace","filter":"home/#"}'

/** The request in a line, or what is wrong with it. */
export function requestOf(line: string): ControlRequest | string {
  let request: unknown
  try {
    request = JSON.parse(line)
  } catch {
    return `a request is one JSON object on one line; ${known}`
  }
  if (typeof request !== 'object' || request === null) return `a request is a JSON object; ${known}`
  const fields = request as Record<string, unknown>
  const { protocol } = fields
  if (protocol !== undefined && protocol !== protocolVersion) return `this is protocol ${protocolVersion}`
  const verbs = ['get', 'watch', 'kick', 'do'].filter((verb) => fields[verb] !== undefined)
  if (verbs.length !== 1) return known
  if (verbs[0] === 'get') return getOf(fields)
  if (verbs[0] === 'do') return fields['do'] === 'reload' ? { do: 'reload' } : known
  return verbs[0] === 'kick' ? kickOf(fields) : watchOf(fields)
}

function getOf({ get, id }: Record<string, unknown>): ControlRequest | string {
  if (get === 'status' || get === 'pins' || get === 'clients') return { get }
  if (get !== 'client') return known
  return typeof id === 'string' ? { get, id } : '"id" is the client id'
}

function kickOf({ kick, forget = false }: Record<string, unknown>): ControlRequest | string {
  if (typeof kick !== 'string') return '"kick" is a client id'
  return typeof forget === 'boolean' ? { kick, forget } : '"forget" is true or false'
}

function watchOf({ watch, filter }: Record<string, unknown>): ControlRequest | string {
  if (watch === 'pins') return { watch }
  if (watch !== 'trace' && watch !== 'topics') return known
  if (filter === undefined) return { watch }
  const problem = typeof filter === 'string' ? filterProblem(filter) : 'it is no text'
  if (problem !== undefined) return `"filter" is no topic filter: ${problem}`
  return { watch, filter: filter as string }
}
