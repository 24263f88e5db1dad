import { isIP } from 'node:net'
import type { HttpPlace } from '../core/http-place.ts'
import { nearest } from '../core/nearest.ts'
import type { ProblemList } from './problem-list.ts'
import type { Variable, Variables } from './variables.ts'

const loopback = '127.0.0.1'
const all = '::'
const expected = 'loopback, all, or an address of this machine such as 192.168.1.5'

/** `HTTP_BIND`: an address to listen on. */
export function readHttpAddress(variable: Variable): string | undefined {
  const word = variable.value.toLowerCase()
  if (word === 'loopback' || word === 'localhost') return loopback
  if (word === 'all' || word === '0.0.0.0' || word === '::') return all
  if (isIP(word) !== 0) return word
  const near = nearest(word, ['loopback', 'all'])
  variable.mistake('HTTP_BIND is no address', {
    expected,
    ...(near === undefined ? {} : { suggestion: near }),
  })
  return undefined
}

/** Undefined without a port: then nothing listens. */
export function httpPlaceOf(
  port: number | undefined,
  address: string | undefined,
  variables: Variables,
  warnings: ProblemList,
): HttpPlace | undefined {
  if (port !== undefined) return { address: address ?? loopback, port }
  const bind = variables.get('HTTP_BIND')
  if (bind !== undefined && variables.get('HTTP_PORT') === undefined)
    warnings.add({
      place: bind.place,
      message: 'HTTP_BIND does nothing without HTTP_PORT',
      suggestion: 'add a line HTTP_PORT=9883, or put # before HTTP_BIND',
    })
  return undefined
}
