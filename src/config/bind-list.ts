import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Bind } from '../core/bind.ts'
import { nearest } from '../core/nearest.ts'
import type { ProblemList } from './problem-list.ts'
import type { Variable } from './variables.ts'

const keywords = ['lan', 'loopback', 'all'] as const
type Keyword = (typeof keywords)[number]

const expected =
  'lan, loopback, all, an interface such as wlan0, an address such as 192.168.1.5, or several with commas'

/** Where a comma list stands: `BIND` of `.env`, or `bind:` of a listener. */
export type BindSource = Pick<Variable, 'value' | 'place' | 'mistake'> & { readonly name: string }

/** `lan`, `loopback` or `all`. */
export function bindOf(kind: Keyword): Bind {
  return { kind }
}

/** Reads `BIND`: a comma list. An interface that is not there now is a warning: it may still come. */
export function readBind(variable: BindSource, warnings: ProblemList): readonly Bind[] | undefined {
  const binds = new Map<string, Bind>()
  let isRight = true
  for (const part of variable.value.split(',')) {
    const bind = readEntry(part.trim(), variable)
    if (bind === undefined) isRight = false
    else binds.set(JSON.stringify(bind), bind)
  }
  if (!isRight) return undefined
  for (const bind of binds.values()) {
    if (bind.kind !== 'interface' || Object.hasOwn(networkInterfaces(), bind.name)) continue
    warnings.add({
      place: variable.place,
      message: `there is no network interface ${bind.name} at the moment; the broker listens there once it has come`,
      expected: `for example ${Object.keys(networkInterfaces()).join(', ')}`,
    })
  }
  return [...binds.values()]
}

function readEntry(entry: string, variable: BindSource): Bind | undefined {
  const mistake = (message: string, suggestion?: string): undefined => {
    variable.mistake(message, { part: entry, expected, ...(suggestion === undefined ? {} : { suggestion }) })
  }
  const keyword = keywords.find((known) => known === entry.toLowerCase())
  if (keyword !== undefined) return bindOf(keyword)
  if (entry === '') return mistake(`an entry of ${variable.name} is empty`)
  if (entry === '0.0.0.0' || entry === '::') return bindOf('all')
  if (isIP(entry) !== 0) return { kind: 'address', address: entry }
  if (entry === '*' || entry === 'any') return mistake(`${variable.name} does not know "${entry}"`, 'all')
  if (entry === 'localhost') return mistake('BIND does not know "localhost"', 'loopback')
  const [host = '', port] = entry.split(/:(?=\d+$)/)
  if (port !== undefined && isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0)
    return mistake(
      `"${entry}" has a port in it`,
      variable.name === 'BIND' ? `BIND=${host} and PORT=${port}` : `bind: ${host} and port: ${port}`,
    )
  // netdevice(7): at most 15 bytes, no slash, no white space; digits and dots alone are a mistyped address
  if (!/^[^\s/:]{1,15}$/.test(entry) || /^[\d.]+$/.test(entry))
    return mistake(`"${entry}" is no address and no interface`)
  if (!/\d/.test(entry) && !Object.hasOwn(networkInterfaces(), entry)) {
    const near = nearest(entry, keywords)
    if (near !== undefined) return mistake(`"${entry}" is no interface of this machine`, near)
  }
  return { kind: 'interface', name: entry }
}
