import { BrokerSearch, parseSearch } from '../core/broker-search.ts'
import type { RemoteBroker } from '../core/remote-broker.ts'
import { Secret } from '../core/secret.ts'
import type { Settings } from './settings.ts'
import { meantSchemes, urlSchemes } from './url-schemes.ts'
import type { Variable } from './variables.ts'

const portMax = 65_535
const expected = 'mqtt://HOST:PORT, mqtts:// for TLS, auto, or auto:NAME'

/**
 * Reads `BROKER_URL`. A name in it goes before `MQTT_USERNAME`. Tells a mistake and gives undefined when it is none,
 * without showing a password.
 */
export function readBrokerUrl(
  variable: Variable,
  credentials: Settings['credentials'],
): RemoteBroker | undefined {
  const no = (message: string, suggestion?: string): undefined => {
    const isSafe = suggestion !== undefined && !suggestion.includes('@') // before an @ stands a password
    variable.mistake(message, { expected, ...(isSafe ? { suggestion } : {}) })
  }
  const wanted = parseSearch(variable.value)
  if (wanted !== undefined) {
    const search = new BrokerSearch(wanted, credentials !== undefined)
    return { url: search.text, host: '', port: 0, isSecure: wanted.isSecureOnly, search, credentials }
  }
  const [, written, rest = ''] = /^([a-z][a-z0-9+.-]*:)\/\/(.*)$/i.exec(variable.value) ?? []
  if (written === undefined)
    return no(
      'BROKER_URL does not begin with mqtt://',
      `mqtt://${variable.value.replace(/^mqtts?:\/*/i, '')}`,
    )
  const scheme = written.toLowerCase()
  const { isSecure, port: usualPort } = urlSchemes.get(scheme) ?? {}
  if (isSecure === undefined) {
    const better = meantSchemes.get(scheme)
    return no(
      /^wss?:$/.test(scheme)
        ? 'BROKER_URL asks for MQTT over websockets, which is not spoken here'
        : `BROKER_URL begins with ${scheme}//, which is not MQTT`,
      better === undefined ? undefined : better + rest,
    )
  }
  const { user, host, port, path } = addressPattern.exec(rest)?.groups ?? {}
  if (host === undefined) return no('BROKER_URL has no host, or one that is not right')
  if (path !== undefined)
    return no(
      'BROKER_URL has something behind the host',
      `${scheme}//${host}${port === undefined ? '' : `:${port}`}`,
    )
  if (user?.startsWith(':')) return no('BROKER_URL has a password, and no name before it')
  const portNumber = port === undefined ? (usualPort as number) : Number(port)
  if (!(portNumber >= 1 && portNumber <= portMax))
    return no(`the port in BROKER_URL is not a number from 1 to ${portMax}`)
  return {
    url: `${scheme}//${host}:${portNumber}`,
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: portNumber,
    isSecure,
    credentials: user === undefined ? credentials : credentialsIn(user),
  }
}

/** Up to the last `@` it is name and password, whatever stands in them. */
const addressPattern =
  /^(?:(?<user>.+)@)?(?<host>\[[0-9a-f:.]+\]|[\w.-]+)(?::(?<port>[^/?#]*))?\/?(?<path>[^/].*)?$/i

function credentialsIn(user: string): RemoteBroker['credentials'] {
  const [username = '', ...password] = user.split(':')
  return {
    username: decoded(username),
    password: password.length === 0 ? undefined : new Secret(decoded(password.join(':'))),
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // a % that stands for itself
  }
}
