import { limits } from '../core/limits.ts'
import { Secret } from '../core/secret.ts'
import { filterProblem } from '../core/topics.ts'
import { fitted, numberOf } from './amounts.ts'
import { isTrue, lastIn, type Section, type Statement, wordsOf } from './mosquitto-conf.ts'
import type { Draft, YamlValue } from './move.ts'

/** What a bridge's settings are put together from. */
interface BridgeDraft {
  readonly draft: Draft
  readonly section: Section
  readonly name: string
  /** `bridges: NAME:` */
  readonly here: string
  readonly settings: Record<string, YamlValue>
  readonly tls: Record<string, YamlValue>
}

/** A `connection` as an entry of `bridges:`. */
export function translateBridge(draft: Draft, section: Section): void {
  const { outcomes, conf } = draft
  const { head } = section
  if (head === undefined) return
  const name = head.value.replaceAll(/[^A-Za-z0-9_-]/g, '-')
  const left = lastIn(section, 'bridge_psk', 'bridge_identity')
  const lacking = ['address', 'topic'].find((option) => lastIn(section, option) === undefined)
  if (left !== undefined || lacking !== undefined) {
    const why =
      left === undefined ? `it has no ${lacking}` : `there is no TLS with pre-shared keys (${left.name})`
    for (const statement of [head, ...section.statements])
      if (statement === head || statement.option?.fate.kind === 'taken')
        outcomes.lost(statement, `this bridge is left out: ${why}`)
    return
  }
  const bridge: BridgeDraft = {
    draft,
    section,
    name,
    here: `bridges: ${name}:`,
    settings: { version: '3.1.1' },
    tls: {},
  }
  outcomes.taken(head, bridge.here)
  takeAddresses(bridge)
  takeIdentity(bridge)
  for (const [option, take] of Object.entries(takers)) {
    const statement = lastIn(section, option)
    if (statement !== undefined && !outcomes.has(statement))
      outcomes.read(statement, () => take(bridge, statement))
  }
  takeNotifications(bridge)
  takeTls(bridge, conf.resolve)
  const topics = section.statements
    .filter(({ option }) => option?.name === 'topic')
    .map((statement) => topicOf(bridge, statement))
    .filter((topic) => topic !== undefined)
  if (topics.length === 0) {
    draft.notes.push(`The bridge ${name} is left out: none of its topics can be taken`)
    return
  }
  bridge.settings['topics'] = topics
  draft.bridges.set(name, bridge.settings)
}

type Taker = (bridge: BridgeDraft, statement: Statement) => void

function flag(key: string): Taker {
  return (bridge, statement) => set(bridge, statement, key, isTrue(statement.value))
}

function text(key: string): Taker {
  return (bridge, statement) => set(bridge, statement, key, statement.value)
}

function seconds(key: string, least: number, most: number): Taker {
  return (bridge, statement) =>
    set(bridge, statement, key, `${Math.min(most, Math.max(least, numberOf(statement)))}s`)
}

const daySeconds = 86_400

/** Options that are one key each. */
const takers: Readonly<Record<string, Taker>> = {
  round_robin: flag('round_robin'),
  cleansession: flag('clean_session'),
  local_cleansession: flag('local_clean_session'),
  keepalive_interval: seconds('keep_alive', 5, 65_535),
  bridge_bind_address: text('bind_address'),
  bridge_attempt_unsubscribe: flag('attempt_unsubscribe'),
  bridge_outgoing_retain: flag('outgoing_retain'),
  try_private: flag('try_private'),
  bridge_max_packet_size: (bridge, statement) => {
    const bytes = numberOf(statement)
    if (bytes <= 0) return bridge.draft.outcomes.same(statement, 'the other broker says its bound')
    set(bridge, statement, 'max_packet_size', Math.max(20, bytes))
  },
  bridge_protocol_version: (bridge, statement) => {
    if (statement.value === 'mqttv31')
      return bridge.draft.outcomes.lost(
        statement,
        'bridges speak MQTT 5 and 3.1.1; 3.1.1 is taken, which brokers of 3.1 mostly know',
      )
    set(bridge, statement, 'version', statement.value === 'mqttv50' ? '5' : '3.1.1')
  },
  restart_timeout: (bridge, statement) => {
    const [base = 5, cap = base] = wordsOf(statement.value).map((word) =>
      Math.min(7_200, Math.max(1, Number(word) || 1)),
    )
    bridge.settings['retry_min'] = `${base}s`
    bridge.settings['retry_max'] = `${Math.max(base, cap)}s`
    bridge.draft.outcomes.taken(
      statement,
      `${bridge.here} retry_min: ${base}s, retry_max: ${Math.max(base, cap)}s`,
    )
  },
  start_type: (bridge, statement) => {
    if (!['automatic', 'lazy', 'once'].includes(statement.value))
      return bridge.draft.outcomes.lost(
        statement,
        `there is no start_type ${statement.value} in mosquitto either; automatic is taken`,
      )
    set(bridge, statement, 'start', statement.value)
    // what does not wait here starts nothing
    if (statement.value === 'lazy') bridge.settings['local_clean_session'] = false
  },
  threshold: (bridge, statement) => {
    if (isLazy(bridge))
      set(
        bridge,
        statement,
        'threshold',
        fitted(numberOf(statement), { min: 1, max: limits.sessionQueueMessagesMax }).value ?? 1,
      )
    else bridge.draft.outcomes.same(statement, 'it says something with start_type lazy alone')
  },
  idle_timeout: (bridge, statement) => {
    if (isLazy(bridge)) seconds('idle_timeout', 1, daySeconds)(bridge, statement)
    else bridge.draft.outcomes.same(statement, 'it says something with start_type lazy alone')
  },
}

function isLazy({ section }: BridgeDraft): boolean {
  return lastIn(section, 'start_type')?.value === 'lazy'
}

function set(
  { draft, here, settings }: BridgeDraft,
  statement: Statement,
  key: string,
  value: YamlValue,
): void {
  settings[key] = value
  draft.outcomes.taken(
    statement,
    `${here} ${key}: ${typeof value === 'object' ? JSON.stringify(value) : value}`,
  )
}

function takeAddresses(bridge: BridgeDraft): void {
  const { draft, section, settings, here } = bridge
  const statement = lastIn(section, 'address')
  if (statement === undefined) return
  const addresses = wordsOf(statement.value).map((word) => addressOf(word, isSecure(section)))
  settings['address'] = addresses.length === 1 ? (addresses[0] as string) : addresses
  draft.outcomes.taken(statement, `${here} address: ${addresses.join(', ')}`)
}

/** As mosquitto: what stands after the last colon is the port. */
function addressOf(word: string, secure: boolean): string {
  const colon = word.lastIndexOf(':')
  const host = colon === -1 ? word : word.slice(0, colon)
  const port = colon === -1 ? '1883' : word.slice(colon + 1)
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  return `${secure ? 'mqtts' : 'mqtt'}://${bare.includes(':') ? `[${bare}]` : bare}:${port}`
}

function isSecure(section: Section): boolean {
  const trusts = lastIn(section, 'bridge_cafile', 'bridge_capath', 'bridge_certfile')
  return trusts !== undefined || isTrue(lastIn(section, 'bridge_tls_use_os_certs')?.value ?? '')
}

/** Who we are to the other broker: the session that mosquitto has there goes on under its name. */
function takeIdentity(bridge: BridgeDraft): void {
  const { draft, section, settings, here, name } = bridge
  const { outcomes, host } = draft
  const id = lastIn(section, 'remote_clientid')
  if (id === undefined) settings['client_id'] = `${host}.${section.head?.value}`
  else set(bridge, id, 'client_id', id.value)
  const username = lastIn(section, 'remote_username')
  if (username !== undefined) set(bridge, username, 'username', username.value)
  const password = lastIn(section, 'remote_password')
  if (password === undefined) return
  if (username === undefined)
    return outcomes.lost(password, 'a password without remote_username counts for nothing')
  const file = `bridge-${name}.password`
  settings['password_file'] = file
  draft.secrets.push({ to: file, text: new Secret(`${password.value}\n`) })
  outcomes.taken(password, `${here} password_file: ${file}, in CONFIG_DIR`)
}

function takeNotifications(bridge: BridgeDraft): void {
  const { section, settings, draft, here } = bridge
  const is = lastIn(section, 'notifications')
  const local = lastIn(section, 'notifications_local_only')
  const topic = lastIn(section, 'notification_topic')
  const isOn = is === undefined || isTrue(is.value)
  const isLocal = local !== undefined && isTrue(local.value)
  if (!isOn) settings['notifications'] = false
  else if (isLocal) settings['notifications'] = 'local'
  if (isOn && topic !== undefined) settings['notification_topic'] = topic.value
  for (const statement of [is, local, topic])
    if (statement !== undefined)
      draft.outcomes.taken(
        statement,
        `${here} notifications: ${isOn ? (isLocal ? 'local' : 'true') : 'false'}`,
      )
}

function takeTls(bridge: BridgeDraft, resolve: (path: string) => string): void {
  const { draft, section, settings, tls, here } = bridge
  const { outcomes, references } = draft
  for (const [option, key] of [
    ['bridge_cafile', 'ca'],
    ['bridge_certfile', 'certificate'],
    ['bridge_keyfile', 'key'],
  ] as const) {
    const statement = lastIn(section, option)
    if (statement === undefined) continue
    const other = option === 'bridge_certfile' ? 'bridge_keyfile' : 'bridge_certfile'
    if (key !== 'ca' && lastIn(section, other) === undefined) {
      outcomes.lost(statement, `${option} needs ${other} beside it; it is left out`)
      continue
    }
    const path = resolve(statement.value)
    tls[key] = path
    references.push({ path, what: option, statement })
    outcomes.taken(statement, `${here} tls: ${key}: ${path}`)
  }
  const alpn = lastIn(section, 'bridge_alpn')
  const insecure = lastIn(section, 'bridge_insecure')
  if (!isSecure(section)) {
    for (const statement of [alpn, insecure])
      if (statement !== undefined) outcomes.same(statement, 'this bridge has no TLS')
  }
  if (alpn !== undefined && isSecure(section)) {
    tls['alpn'] = alpn.value
    outcomes.taken(alpn, `${here} tls: alpn: ${alpn.value}`)
  }
  if (insecure !== undefined && isTrue(insecure.value) && isSecure(section)) {
    tls['insecure_any_host'] = true
    outcomes.taken(insecure, `${here} tls: insecure_any_host: true`)
  } else if (insecure !== undefined) outcomes.same(insecure, 'the host name is checked')
  const system = lastIn(section, 'bridge_tls_use_os_certs')
  if (system !== undefined) outcomes.taken(system, `${here} address: mqtts://…`)
  if (Object.keys(tls).length > 0) settings['tls'] = tls
}

/** `topic PATTERN [out|in|both [QOS [LOCAL-PREFIX [REMOTE-PREFIX]]]]`; `""` is empty, quotes hold a pattern with spaces. */
function topicOf({ draft, here }: BridgeDraft, statement: Statement): YamlValue | undefined {
  const { outcomes } = draft
  const quoted = /^"([^"]+)"(?: +|$)(.*)$/.exec(statement.value)
  const words = wordsOf(quoted === null ? statement.value : (quoted[2] as string))
  const pattern = quoted === null ? bare(words.shift() ?? '') : (quoted[1] as string)
  const [direction = 'out', qos = '0', local = '', remote = ''] = words.map(bare)
  if (!/^(in|out|both)$/i.test(direction) || !/^[012]$/.test(qos)) {
    outcomes.lost(
      statement,
      'mosquitto refuses this topic: after the pattern come in, out or both, then a QoS, then two prefixes',
    )
    return undefined
  }
  const problem = topicMistake(pattern, local, remote)
  if (problem !== undefined) {
    outcomes.lost(statement, `this topic is left out: ${problem}`)
    return undefined
  }
  outcomes.taken(statement, `${here} topics:`)
  const common = { direction: direction.toLowerCase(), qos: Number(qos) }
  if (pattern === '') return { local, remote, ...common }
  return {
    topic: pattern,
    ...common,
    ...(local === '' ? {} : { local_prefix: local }),
    ...(remote === '' ? {} : { remote_prefix: remote }),
  }
}

function topicMistake(pattern: string, local: string, remote: string): string | undefined {
  if (pattern === '' && (local === '' || remote === ''))
    return 'without a pattern both prefixes are topics, and one is missing'
  const prefix = [local, remote].find((text) => /[+#]/.test(text))
  if (prefix !== undefined) return `${prefix} has a wildcard in it, which a prefix cannot have`
  return filterProblem(local + pattern) ?? filterProblem(remote + pattern)
}

function bare(word: string): string {
  return word === '""' ? '' : word
}
