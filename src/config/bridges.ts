import type { Bridge, BridgeAddress, BridgeStart } from '../core/bridge.ts'
import { limits } from '../core/limits.ts'
import { Secret } from '../core/secret.ts'
import { parseBytes } from '../core/units.ts'
import { readBridgeAddress } from './bridge-address.ts'
import { readBridgeTls } from './bridge-tls.ts'
import { readBridgeTopics } from './bridge-topics.ts'
import { NamedFiles, type NamedFilesParts } from './named-files.ts'
import { readNumber } from './numbers.ts'
import { fieldsIn, readTopic, tellName } from './pin-fields.ts'
import type { TreeReader } from './tree-reader.ts'
import { bridgeKeys } from './vocabulary/bridges.ts'
import { isNothing, type Tree, type TreeEntry, type TreeMap } from './yaml-tree.ts'

export interface BridgesRequest extends NamedFilesParts {
  /** `NAME`, of which client ids are made. */
  readonly name: string
}

export interface BridgesReading {
  readonly bridges: readonly Bridge[]
  /** Absolute: the files that they name. */
  readonly files: readonly string[]
}

/** Reads `bridges:`. One with a mistake is left out, and its mistakes are told. */
export async function readBridges(tree: Tree | undefined, request: BridgesRequest): Promise<BridgesReading> {
  if (tree === undefined || isNothing(tree)) return { bridges: [], files: [] }
  const { reader } = request
  const files = new NamedFiles(request)
  const map = reader.map(tree, 'bridges', `a map of name: ${example}`)
  const entries = [...(map?.entries.values() ?? [])]
  const tooMany = entries[limits.bridgesMax]
  if (tooMany !== undefined)
    reader.mistake(tooMany, `there are ${entries.length} bridges`, {
      found: null,
      expected: `at most ${limits.bridgesMax}`,
    })
  const bridges: Bridge[] = []
  for (const entry of entries) {
    const bridge = await new BridgeReader(entry, request, files).read()
    if (bridge === undefined) continue
    const twin = bridges.find((other) => fights(other, bridge))
    if (twin === undefined) bridges.push(bridge)
    else
      reader.mistake(entry, `the bridge "${entry.key}" has the client id and the address of "${twin.name}"`, {
        found: null,
        expected: 'another client_id: else each ends the connection of the other',
      })
  }
  return { bridges, files: files.paths }
}

const example = '{ address: mqtts://broker.example.org, topics: [ sensors/# ] }'

/** The other broker would take the two for one. */
function fights(one: Bridge, other: Bridge): boolean {
  const urls = new Set(one.addresses.map(({ url }) => url))
  return one.clientId === other.clientId && other.addresses.some(({ url }) => urls.has(url))
}

class BridgeReader {
  readonly #entry: TreeEntry
  readonly #request: BridgesRequest
  readonly #reader: TreeReader
  readonly #files: NamedFiles
  readonly #whose: string

  constructor(entry: TreeEntry, request: BridgesRequest, files: NamedFiles) {
    this.#entry = entry
    this.#request = request
    this.#reader = request.reader
    this.#files = files
    this.#whose = `of the bridge "${entry.key}"`
  }

  async read(): Promise<Bridge | undefined> {
    const reader = this.#reader
    const before = reader.problems.count
    const { key: name, value } = this.#entry
    tellName(this.#entry, 'bridge', reader)
    const map = reader.map(value, `the bridge "${name}"`, example)
    if (map === undefined) return undefined
    const meant = this.#keys(map)
    for (const key of ['address', 'topics'])
      if (!map.entries.has(key) && !meant.has(key))
        reader.mistake(this.#entry, `the bridge "${name}" has no "${key}"`, {
          found: null,
          expected: example,
        })
    const field = fieldsIn(map, this.#whose)
    const flag = (key: string): boolean | undefined => field(key, (tree, what) => reader.boolean(tree, what))
    const text = (key: string, expected: string): string | undefined =>
      field(key, (tree, what) => reader.text(tree, what, expected))
    const addresses = field('address', (tree, what) => this.#addresses(tree, what))
    const topics = field('topics', (tree) => readBridgeTopics(tree, this.#whose, reader))
    const clientId = text('client_id', 'a client id') ?? `${this.#request.name}-${name}`
    const version = field('version', (tree, what) => this.#version(tree, what))
    const credentials = await this.#credentials(map)
    const tlsEntry = map.entries.get('tls')
    const tls =
      tlsEntry && (await readBridgeTls(tlsEntry, this.#whose, addresses ?? [], this.#files, this.#request))
    const isCleanSession = flag('clean_session') ?? false
    const isLocalCleanSession = flag('local_clean_session') ?? isCleanSession
    const keepAliveMs = this.#duration(field, 'keep_alive', 5_000, 65_535_000)
    const notifications = this.#notifications(map, clientId)
    const start = this.#start(map, isLocalCleanSession)
    const retry = this.#retry(map)
    const packetBytesMax = field('max_packet_size', (tree, what) => this.#bytes(tree, what))
    const options = {
      isRoundRobin: flag('round_robin') ?? false,
      mayUnsubscribe: flag('attempt_unsubscribe') ?? true,
      mayRetain: flag('outgoing_retain') ?? true,
      isQos0Kept: flag('keep_qos0') ?? false,
      isTold: flag('try_private') ?? true,
      bindAddress: text('bind_address', 'an address of this machine'),
    }
    if (addresses === undefined || topics === undefined || reader.problems.count !== before) return undefined
    return {
      name,
      addresses,
      clientId,
      version: version ?? 5,
      credentials,
      tls,
      isCleanSession,
      isLocalCleanSession,
      keepAliveSeconds: Math.round((keepAliveMs ?? 60_000) / 1_000),
      topics,
      notifications,
      start,
      retry,
      packetBytesMax,
      ...options,
    }
  }

  /** Tells those that are none; a password is none, and is not shown. */
  #keys(map: TreeMap): ReadonlySet<string> {
    const password = map.entries.get('password')
    if (password !== undefined)
      this.#reader.problems.add({
        place: this.#reader.place(password),
        message: `the bridge "${this.#entry.key}" has a password in this file, which many may read`,
        suggestion: 'write it into a file of its own (chmod 600), and password_file: FILE here',
      })
    const entries = new Map([...map.entries].filter(([key]) => key !== 'password'))
    return this.#reader.knownKeys(
      { ...map, entries },
      `the bridge "${this.#entry.key}"`,
      Object.keys(bridgeKeys),
    )
  }

  #addresses(tree: Tree, what: string): readonly BridgeAddress[] | undefined {
    const items = tree.kind === 'list' ? tree.items : [tree]
    if (items.length === 0)
      return this.#reader.mistake(tree, `${what} is empty`, { expected: 'mqtt://HOST, or a list of them' })
    return items.flatMap((item) => readBridgeAddress(item, what, this.#reader) ?? [])
  }

  #version(tree: Tree, what: string): 4 | 5 | undefined {
    const value = tree.kind === 'scalar' ? tree.value : undefined
    if (value === 5 || value === '5') return 5
    if (value === '3.1.1') return 4
    const isOld = value === 4 || value === 3.1 || value === 3 || value === '3.1'
    return this.#reader.mistake(tree, `${what} is no version that bridges speak`, {
      expected: '5 or 3.1.1',
      suggestion: isOld ? '3.1.1' : undefined,
    })
  }

  async #credentials(map: TreeMap): Promise<Bridge['credentials']> {
    const file = map.entries.get('password_file')
    const username = fieldsIn(map, this.#whose)('username', (tree, what) =>
      this.#reader.text(tree, what, 'a user name'),
    )
    const password =
      file === undefined ? undefined : await this.#password(file.value, `"password_file" ${this.#whose}`)
    if (file !== undefined && !map.entries.has('username'))
      this.#reader.mistake(file, `the bridge "${this.#entry.key}" has a password, and no username`, {
        found: null,
      })
    return username === undefined ? undefined : { username, password }
  }

  /** What the file says but for the end of its line. */
  async #password(tree: Tree, what: string): Promise<Secret | undefined> {
    const text = await this.#files.text(tree, what, limits.dotenvBytesMax, { isSecret: true })
    const password = text?.replace(/\n$/, '')
    if (password !== '') return password === undefined ? undefined : new Secret(password)
    return this.#reader.mistake(tree, `${what} is empty`, { expected: 'one line, the password' })
  }

  #notifications(map: TreeMap, clientId: string): Bridge['notifications'] {
    const field = fieldsIn(map, this.#whose)
    const choice = field('notifications', (tree, what) => {
      const value = tree.kind === 'scalar' ? tree.value : undefined
      if (value === true || value === false || value === 'local') return value
      return this.#reader.mistake(tree, `${what} is not one of its values`, {
        expected: 'true, false or local',
      })
    })
    const topic = field('notification_topic', (tree, what) => readTopic(tree, what, this.#reader))
    if (choice === false) return undefined
    return { topic: topic ?? `$SYS/broker/connection/${clientId}/state`, isLocalOnly: choice === 'local' }
  }

  #start(map: TreeMap, isLocalCleanSession: boolean): BridgeStart {
    const field = fieldsIn(map, this.#whose)
    const kind = field('start', (tree, what) => this.#reader.oneOf(tree, what, bridgeKeys.start.enum))
    const threshold = field('threshold', (tree, what) =>
      readNumber(tree, what, this.#reader, {
        expected: `a whole number from 1 to ${limits.sessionQueueMessagesMax}`,
        isRight: (it) => Number.isInteger(it) && it >= 1 && it <= limits.sessionQueueMessagesMax,
      }),
    )
    const idleMs = this.#duration(field, 'idle_timeout', 1_000)
    if (kind !== 'lazy') {
      for (const key of ['threshold', 'idle_timeout']) {
        const entry = map.entries.get(key)
        if (entry !== undefined)
          this.#reader.mistake(entry, `"${key}" ${this.#whose} needs start: lazy`, { found: null })
      }
      return { kind: kind === 'once' ? 'once' : 'automatic' }
    }
    if (isLocalCleanSession)
      this.#reader.mistake(
        this.#entry,
        `the bridge "${this.#entry.key}" waits for messages that do not wait`,
        {
          found: null,
          expected: 'start: lazy with local_clean_session: false',
        },
      )
    return { kind, threshold: threshold ?? 10, idleMs: idleMs ?? 60_000 }
  }

  #retry(map: TreeMap): Bridge['retry'] {
    const field = fieldsIn(map, this.#whose)
    const minMs = this.#duration(field, 'retry_min', 100)
    const maxMs = this.#duration(field, 'retry_max', 100)
    const least = minMs ?? Math.min(1_000, maxMs ?? 1_000)
    const most = maxMs ?? Math.max(30_000, least)
    const entry = map.entries.get('retry_max')
    if (entry !== undefined && most < least)
      this.#reader.mistake(entry.value, `"retry_max" ${this.#whose} is less than retry_min`)
    return { minMs: least, maxMs: most }
  }

  #duration(
    field: ReturnType<typeof fieldsIn>,
    key: keyof typeof bridgeKeys,
    atLeastMs: number,
    atMostMs = 86_400_000,
  ): number | undefined {
    return field(key, (tree, what) => this.#reader.duration(tree, what, { atLeastMs, atMostMs }))
  }

  #bytes(tree: Tree, what: string): number | undefined {
    const value = tree.kind === 'scalar' ? String(tree.value) : ''
    const bytes = parseBytes(value)
    if (bytes !== undefined && bytes >= 20) return bytes
    return this.#reader.mistake(tree, `${what} is not a size`, {
      expected: 'a size from 20 bytes on: 131072, 128KiB or 1MB',
    })
  }
}
