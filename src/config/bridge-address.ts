import type { BridgeAddress } from '../core/bridge.ts'
import type { TreeReader } from './tree-reader.ts'
import { meantSchemes, urlSchemes } from './url-schemes.ts'
import type { Tree } from './yaml-tree.ts'

const expected = 'mqtt://HOST or mqtts://HOST, with :PORT if it is not 1883 or 8883'
const portMax = 65_535

/** One address of another broker. A mistake is told, without what may be a password. */
export function readBridgeAddress(tree: Tree, what: string, reader: TreeReader): BridgeAddress | undefined {
  const text = reader.text(tree, what, expected)
  if (text === undefined) return undefined
  const no = (message: string, suggestion?: string): undefined =>
    reader.mistake(tree, `${what} ${message}`, { expected, suggestion })
  if (text.includes('@'))
    return reader.problems.add({
      place: reader.place(tree), // without the text: a password stands in it
      message: `${what} has a name in it`,
      expected,
      suggestion: 'username: NAME and password_file: FILE, beside the address',
    }) as undefined
  const [, written, rest = ''] = /^([a-z][a-z0-9+.-]*:)\/\/(.*)$/i.exec(text) ?? []
  if (written === undefined) return no('does not begin with mqtt://', `mqtt://${text}`)
  const scheme = written.toLowerCase()
  const usualPort = urlSchemes.get(scheme)?.port
  if (usualPort === undefined) {
    const better = meantSchemes.get(scheme)
    const problem = /^wss?:$/.test(scheme)
      ? 'asks for MQTT over websockets, which bridges do not speak'
      : `begins with ${scheme}//, which is not MQTT`
    return no(problem, better === undefined ? undefined : better + rest)
  }
  const { host, port, path } = pattern.exec(rest)?.groups ?? {}
  if (host === undefined) return no('has no host, or one that is not right')
  if (path !== undefined) return no('has something behind the host')
  const portNumber = port === undefined ? usualPort : Number(port)
  if (!(portNumber >= 1 && portNumber <= portMax))
    return no(`has a port that is not a number from 1 to ${portMax}`)
  return {
    url: `${scheme}//${host}:${portNumber}`,
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: portNumber,
    isSecure: scheme === 'mqtts:',
  }
}

const pattern = /^(?<host>\[[0-9a-f:.]+\]|[\w.-]+)(?::(?<port>[^/?#]*))?\/?(?<path>[^/].*)?$/i
