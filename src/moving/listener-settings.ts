import { isIP } from 'node:net'
import { dirname } from 'node:path'
import { anonymityOf, takeFiles } from './access-settings.ts'
import { numberOf } from './amounts.ts'
import { isTrue, lastIn, lastOf, type Section, type Statement, wordsOf } from './mosquitto-conf.ts'
import type { Door, Draft, YamlMap, YamlValue } from './move.ts'

/** A listener with what is known of it so far. */
interface Way extends Door {
  readonly section: Section
  readonly bind: string
}

const usualPort = 1_883

/** Listeners, and who may come in and do what: `.env` for the first plain one, `listeners:` for the others. */
export function translateListeners(draft: Draft): readonly Door[] {
  const { conf, env, notes } = draft
  if (conf.listeners.length === 0) {
    // mosquitto 2 without a listener serves its own machine alone
    env.set('BIND', 'loopback')
    env.set('PORT', String(usualPort))
    env.set('ALLOW_ANONYMOUS', anonymityOf(draft, undefined) ?? 'local')
    takeFiles(draft, undefined, 'main', {})
    return [doorAt('main', '127.0.0.1', usualPort)]
  }
  const ways = joined(
    draft,
    conf.listeners.map((section) => wayOf(draft, section)).filter((way) => way !== undefined),
  )
  const main = ways.find(({ isTls, isWebSocket, unix }) => !isTls && !isWebSocket && unix === undefined)
  if (main === undefined) closeMain(draft, ways)
  const doors: Door[] = []
  for (const way of ways) {
    const name = way === main ? 'main' : nameOf(draft, way)
    if (way === main) takeMain(draft, way, ways.length)
    else takeListener(draft, way, name)
    doors.push(doorOf(way, name))
  }
  if (doors.some(({ port }) => port > 0 && port < 1_024))
    notes.push(
      'A port below 1024 is for root: let the service have it with sudo systemctl edit damselfly, and there [Service], AmbientCapabilities=CAP_NET_BIND_SERVICE and CapabilityBoundingSet=CAP_NET_BIND_SERVICE',
    )
  for (const { unix } of doors)
    if (unix !== undefined && !unix.startsWith(ownRunFolder))
      notes.push(
        `The service makes sockets below ${ownRunFolder} alone: change unix: ${unix}, or let it write there with sudo systemctl edit damselfly, [Service], ReadWritePaths=${dirname(unix)}`,
      )
  return doors
}

const ownRunFolder = '/run/damselfly/'

function doorAt(name: string, host: string, port: number): Door {
  const plain = { isWebSocket: false, isTls: false, wantsCertificate: false, isMounted: false }
  return { name, host, port, unix: undefined, ...plain }
}

/** Listeners of one port on several addresses are one here; what the later ones say otherwise is told. */
function joined({ outcomes }: Draft, ways: readonly Way[]): readonly Way[] {
  const one = new Map<string, Way>()
  for (const way of ways) {
    const place = way.unix ?? String(way.port)
    const first = one.get(place)
    if (first === undefined) {
      one.set(place, way)
      continue
    }
    const binds = new Set([...first.bind.split(','), way.bind])
    one.set(place, { ...first, bind: binds.has('all') ? 'all' : [...binds].join(',') })
    const said = new Map(first.section.statements.map(({ name, value }) => [name, value]))
    const { head, statements } = way.section
    if (head !== undefined)
      outcomes.taken(head, `one listener with the other on port ${place}: ${[...binds].join(', ')}`)
    for (const statement of statements)
      if (said.get(statement.name) === statement.value)
        outcomes.same(statement, 'the other listener on this port says it too')
      else
        outcomes.lost(
          statement,
          `a port has one listener here, for all its addresses; what the first on port ${place} says holds. Give this one another port`,
        )
  }
  return [...one.values()]
}

function doorOf(
  { host, port, unix, isWebSocket, isTls, wantsCertificate, isMounted }: Way,
  name: string,
): Door {
  return { name, host, port, unix, isWebSocket, isTls, wantsCertificate, isMounted }
}

/** Undefined for what cannot be here at all; that is told. */
function wayOf(draft: Draft, section: Section): Way | undefined {
  const { outcomes } = draft
  const { head } = section
  const [portWord, place] = head === undefined ? [] : wordsOf(head.value)
  const port = head === undefined ? lastIn(section, 'port')?.value : portWord
  const number = port === undefined ? usualPort : Number(port)
  const said = head ?? lastIn(section, 'port')
  if (!Number.isInteger(number) || number < 0 || number > 65_535 || (number === 0 && place === undefined)) {
    if (said !== undefined)
      outcomes.lost(said, `"${said.value}" is no port, and mosquitto refuses that; mend it`)
    return undefined
  }
  const left = leftFor(section, head !== undefined && number === 0)
  if (left !== undefined) {
    if (left.why !== undefined) outcomes.lost(left.statement, `${left.why}; this listener is left out`)
    if (head !== undefined) outcomes.lost(head, `this listener is left out, for its ${left.statement.name}`)
    for (const statement of section.statements)
      if (statement !== left.statement)
        outcomes.lost(
          statement,
          `this listener is left out, for its ${left.statement.name} ${left.statement.value}`,
        )
    return undefined
  }
  const address = head === undefined ? lastIn(section, 'bind_address')?.value : place
  const isUnix = head !== undefined && number === 0
  const bind = isUnix ? '' : bindOf(draft, section, address)
  return {
    section,
    name: '',
    bind,
    host: hostOf(bind),
    port: number,
    unix: isUnix ? place : undefined,
    isWebSocket: lastIn(section, 'protocol')?.value === 'websockets',
    isTls: lastIn(section, 'certfile') !== undefined,
    wantsCertificate: isTrue(lastIn(section, 'require_certificate')?.value ?? ''),
    isMounted: lastIn(section, 'mount_point') !== undefined,
  }
}

/** What a listener cannot be here for; without `why` the table says it. */
function leftFor(
  section: Section,
  isUnix: boolean,
): { readonly statement: Statement; readonly why?: string } | undefined {
  const hint = lastIn(section, 'psk_hint')
  if (hint !== undefined) return { statement: hint }
  const protocol = lastIn(section, 'protocol')
  if (protocol?.value === 'http_api')
    return { statement: protocol, why: 'there is no http_api: damselfly status --json tells more' }
  const certificate = lastIn(section, 'certfile')
  const wrapping = certificate ?? (protocol?.value === 'websockets' ? protocol : undefined)
  if (isUnix && wrapping !== undefined)
    return { statement: wrapping, why: 'a Unix socket carries plain MQTT here' }
  if (certificate === undefined) return undefined
  if (lastIn(section, 'keyfile') === undefined)
    return { statement: certificate, why: 'certfile needs keyfile beside it' }
  const required = lastIn(section, 'require_certificate')
  if (required !== undefined && isTrue(required.value) && lastIn(section, 'cafile') === undefined)
    return { statement: required, why: 'require_certificate needs cafile, one file with the authorities' }
  return undefined
}

/** What `BIND` says for a listener's address. */
function bindOf({ outcomes }: Draft, section: Section, address: string | undefined): string {
  const device = lastIn(section, 'bind_interface')
  if (device !== undefined) return device.value
  if (address === undefined || address === '0.0.0.0' || address === '::' || address === '*') return 'all'
  if (isIP(address) !== 0) return address
  if (address === 'localhost') return 'loopback'
  const said = section.head ?? lastIn(section, 'bind_address')
  if (said !== undefined)
    outcomes.lost(
      said,
      `${address} is a name, and an address is wanted: loopback is taken; set BIND or bind: to what getent hosts ${address} says`,
    )
  return 'loopback'
}

/** How this machine reaches what listens there. */
function hostOf(bind: string): string {
  return isIP(bind) !== 0 ? bind : '127.0.0.1'
}

function takeMain(draft: Draft, way: Way, count: number): void {
  const { env, outcomes, notes } = draft
  const { section, bind, port } = way
  env.set('BIND', bind)
  env.set('PORT', String(port))
  const where = `BIND=${bind} and PORT=${port}`
  for (const statement of [
    section.head,
    ...statementsOf(section, 'port', 'bind_address', 'bind_interface', 'protocol'),
  ])
    if (statement !== undefined) outcomes.taken(statement, where)
  const isImplied = section.head === undefined && lastIn(section, 'port', 'bind_address') === undefined
  env.set('ALLOW_ANONYMOUS', anonymityOf(draft, section) ?? (isImplied ? 'true' : 'false'))
  if (isImplied && anonymityOf(draft, section) === undefined)
    notes.push(
      `mosquitto lets everybody in here, without a password: it has a listener that no line names. So does ALLOW_ANONYMOUS=true; better make users, and set it to false`,
    )
  const limit = lastIn(section, 'max_connections')
  if (limit !== undefined) outcomes.read(limit, () => takeLimit(draft, limit, count))
  takeFiles(draft, section, 'main', {})
}

/** Of the listener of `BIND` and `PORT` the bound is that of the whole broker. */
function takeLimit({ env, outcomes }: Draft, statement: Statement, listeners: number): void {
  const most = numberOf(statement)
  if (most < 0) return outcomes.same(statement, 'no bound of its own; MAX_CONNECTIONS has one')
  if (listeners > 1)
    return outcomes.lost(
      statement,
      'MAX_CONNECTIONS bounds all listeners together; set it if this one needs a bound',
    )
  const bound = Math.min(Math.max(1, most), 100_000)
  env.set('MAX_CONNECTIONS', String(bound))
  outcomes.taken(statement, `MAX_CONNECTIONS=${bound}`)
}

/** No listener of mosquitto's is one of `BIND` and `PORT`: ours listens on this machine alone, on a port that is free. */
function closeMain(draft: Draft, ways: readonly Way[]): void {
  const { conf, env, notes } = draft
  const taken = new Set(ways.map(({ port }) => port))
  let port = usualPort
  while (taken.has(port)) port++
  const anonymous = lastOf(conf.general, 'allow_anonymous')
  env.set('BIND', 'loopback')
  env.set('PORT', String(port))
  env.set('ALLOW_ANONYMOUS', anonymous !== undefined && isTrue(anonymous.value) ? 'local' : 'false')
  notes.push(
    `No listener was one for MQTT over TCP without TLS, which BIND and PORT define here: there is one more now, on port ${port}, for this machine alone (BIND=loopback)`,
  )
}

function takeListener(draft: Draft, way: Way, name: string): void {
  const { outcomes } = draft
  const { section, unix } = way
  const settings: Record<string, YamlValue> = {}
  if (unix === undefined) {
    settings['port'] = way.port
    settings['bind'] = way.bind
  } else {
    settings['unix'] = unix
    settings['mode'] = '0666'
  }
  const here = `listeners: ${name}:`
  for (const statement of [
    section.head,
    ...statementsOf(section, 'port', 'bind_address', 'bind_interface', 'protocol'),
  ])
    if (statement !== undefined) outcomes.taken(statement, here)
  if (way.isWebSocket) settings['websocket'] = webSocketOf(draft, section, here)
  if (way.isTls) settings['tls'] = tlsOf(draft, way, here)
  settings['allow_anonymous'] = (anonymityOf(draft, section) ?? 'false') === 'true'
  const limit = lastIn(section, 'max_connections')
  if (limit !== undefined)
    outcomes.read(limit, () => {
      const most = numberOf(limit)
      if (most < 0) return outcomes.same(limit, 'no bound of its own; MAX_CONNECTIONS has one')
      settings['max_connections'] = Math.max(1, most)
      outcomes.taken(limit, `${here} max_connections: ${Math.max(1, most)}`)
    })
  takeFiles(draft, section, name, settings)
  draft.listeners.set(name, settings)
}

function statementsOf({ statements }: Section, ...names: readonly string[]): Statement[] {
  return statements.filter(({ option }) => option !== undefined && names.includes(option.name))
}

function webSocketOf({ outcomes }: Draft, section: Section, here: string): YamlMap {
  const origins = statementsOf(section, 'websockets_origin')
  for (const statement of origins) outcomes.taken(statement, `${here} websocket: origins:`)
  return { path: '*', origins: origins.length === 0 ? ['*'] : origins.map(({ value }) => value) }
}

/** The files are named where they are; who renews them there goes on doing it. */
function tlsOf({ conf, outcomes, references }: Draft, way: Way, here: string): YamlMap {
  const { section, wantsCertificate } = way
  const tls: Record<string, YamlValue> = {}
  const file = (option: string, key: string): void => {
    const statement = lastIn(section, option)
    if (statement === undefined) return
    if (!wantsCertificate && (option === 'cafile' || option === 'crlfile'))
      return outcomes.same(
        statement,
        'it is about certificates of clients, which this listener does not ask for',
      )
    const path = conf.resolve(statement.value)
    tls[key] = path
    references.push({ path, what: option, statement })
    outcomes.taken(statement, `${here} tls: ${key}: ${path}`)
  }
  file('certfile', 'cert')
  file('keyfile', 'key')
  file('cafile', 'client_ca')
  file('crlfile', 'crl')
  const required = lastIn(section, 'require_certificate')
  if (required !== undefined && wantsCertificate) {
    tls['client_certificates'] = 'required'
    outcomes.taken(required, `${here} tls: client_certificates: required`)
  } else if (required !== undefined) outcomes.same(required, 'no certificates of clients are asked for')
  for (const statement of statementsOf(section, 'use_identity_as_username', 'use_subject_as_username')) {
    if (!isTrue(statement.value)) outcomes.same(statement, 'a certificate gives no user name')
    else if (!wantsCertificate)
      outcomes.same(statement, 'this listener asks for no certificates, so it says nothing')
    else {
      tls['user_from'] = 'common-name'
      if (statement.option?.fate.kind === 'taken')
        outcomes.taken(statement, `${here} tls: user_from: common-name`)
    }
  }
  const version = lastIn(section, 'tls_version')
  if (version !== undefined) {
    const least = version.value === 'tlsv1.3' ? '1.3' : '1.2'
    tls['min_version'] = least
    if (version.value === `tlsv${least}`) outcomes.taken(version, `${here} tls: min_version: ${least}`)
    else
      outcomes.lost(
        version,
        `${version.value} is not safe any more; 1.2 is the least. Bring the clients up to date that know no other`,
      )
  }
  return tls
}

function nameOf({ listeners }: Draft, { unix, isTls, isWebSocket, port }: Way): string {
  const kind = unix !== undefined ? 'unix' : `${isWebSocket ? 'ws' : 'mqtt'}${isTls ? 's' : ''}-${port}`
  let name = kind
  for (let count = 2; listeners.has(name); count++) name = `${kind}-${count}`
  return name
}
