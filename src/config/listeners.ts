import { isAbsolute } from 'node:path'
import type { AllowAnonymous } from '../core/bind.ts'
import { limits } from '../core/limits.ts'
import {
  anyPath,
  type Listener,
  type ListenerPlace,
  type ListenerTls,
  mainListener,
  type WebSocketTerms,
} from '../core/listener.ts'
import { pathProblem } from '../core/socket-file.ts'
import { readAclFile } from './acl-file.ts'
import { readBind } from './bind-list.ts'
import { readTls } from './certificate-files.ts'
import { NamedFiles } from './named-files.ts'
import { readNumber } from './numbers.ts'
import { fieldsIn } from './pin-fields.ts'
import type { ProblemList } from './problem-list.ts'
import type { TreeReader } from './tree-reader.ts'
import { readUsersFile } from './users-file.ts'
import { listenerKeys, webSocketKeys } from './vocabulary/listeners.ts'
import { isNothing, type Tree, type TreeEntry, type TreeMap } from './yaml-tree.ts'

export interface ListenersRequest {
  readonly cwd: string
  /** Relative paths begin here. */
  readonly configDir: string
  /** That of `BIND` and `PORT`; what another one does not say is as with this one. */
  readonly main: Listener
  /** The broker is elsewhere. */
  readonly isAttached: boolean
}

export interface ListenersReading {
  /** That of `BIND` and `PORT` first. */
  readonly listeners: readonly Listener[]
  /** The files that they name, absolute. */
  readonly files: readonly string[]
}

const example = '{ port: 8883, tls: { cert: certs/server.crt, key: certs/server.key } }'

/** Reads `listeners:`. One with a mistake is left out, and its mistakes are told. */
export async function readListeners(
  tree: Tree | undefined,
  reader: TreeReader,
  request: ListenersRequest,
  warnings: ProblemList,
): Promise<ListenersReading> {
  const { main } = request
  if (tree === undefined || isNothing(tree)) return { listeners: [main], files: [] }
  const map = reader.map(tree, 'listeners', `a map of name: ${example}`)
  const entries = [...(map?.entries.values() ?? [])]
  const tooMany = entries[limits.listenersMax]
  if (tooMany !== undefined)
    reader.mistake(tooMany, `there are ${entries.length} listeners`, {
      found: null,
      expected: `at most ${limits.listenersMax}`,
    })
  const files = new NamedFiles({ ...request, reader, warnings })
  if (request.isAttached && entries.length > 0)
    files.warn(
      tree,
      'listeners do nothing beside BROKER_URL: the broker is elsewhere, and nothing listens here',
    )
  const places = new Map([[placeKey(main.where), mainWords(main)]])
  const listeners = [main]
  for (const entry of entries) {
    const listener = await new ListenerReader(entry, reader, request, files, warnings).read(places)
    if (listener !== undefined) listeners.push(listener)
  }
  return { listeners, files: files.paths }
}

class ListenerReader {
  readonly #entry: TreeEntry
  readonly #what: string
  readonly #reader: TreeReader
  readonly #request: ListenersRequest
  readonly #files: NamedFiles
  readonly #warnings: ProblemList

  constructor(
    entry: TreeEntry,
    reader: TreeReader,
    request: ListenersRequest,
    files: NamedFiles,
    warnings: ProblemList,
  ) {
    this.#entry = entry
    this.#what = `the listener "${entry.key}"`
    this.#reader = reader
    this.#request = request
    this.#files = files
    this.#warnings = warnings
  }

  /** @param places who has each place already; this one's is added */
  async read(places: Map<string, string>): Promise<Listener | undefined> {
    const reader = this.#reader
    const before = reader.problems.count
    const { key: name } = this.#entry
    this.#tellName()
    const map = reader.map(this.#entry.value, this.#what, example)
    if (map === undefined) return undefined
    const meant = reader.knownKeys(map, this.#what, Object.keys(listenerKeys))
    const field = fieldsIn(map, `of ${this.#what}`)
    const where = this.#where(map, meant)
    const webSocket = field('websocket', (tree, what) => this.#webSocket(tree, what))
    const tlsTree = map.entries.get('tls')?.value
    const tls = tlsTree === undefined ? undefined : await this.#tls(tlsTree)
    const allowAnonymous = field('allow_anonymous', (tree, what) => readAllowAnonymous(tree, what, reader))
    const connectionsMax = field('max_connections', (tree, what) =>
      readNumber(tree, what, reader, {
        expected: 'a whole number from 1 on',
        isRight: (value) => Number.isInteger(value) && value >= 1,
      }),
    )
    const access = await this.#access(map)
    if (where !== undefined) this.#tellTaken(map, where, places)
    if (where === undefined || reader.problems.count !== before) return undefined
    return {
      name,
      where,
      webSocket: webSocket ?? undefined,
      tls,
      allowAnonymous: allowAnonymous ?? this.#request.main.allowAnonymous,
      ...access,
      connectionsMax,
    }
  }

  #tellName(): void {
    const { key: name } = this.#entry
    if (name === mainListener)
      this.#reader.mistake(this.#entry, `the listener "${mainListener}" is that of BIND and PORT in .env`, {
        found: null,
        expected: 'another name; TLS, WebSocket and the like have a listener and a port of their own',
      })
    else if (!/^[A-Za-z0-9_-]+$/.test(name))
      this.#reader.mistake(this.#entry, `"${name}" cannot be the name of a listener`, {
        found: null,
        expected: 'letters, digits, - and _',
      })
  }

  #where(map: TreeMap, meant: ReadonlySet<string>): ListenerPlace | undefined {
    const reader = this.#reader
    const unix = map.entries.get('unix')
    if (unix !== undefined) return this.#unix(unix, map)
    const mode = map.entries.get('mode')
    if (mode !== undefined)
      reader.mistake(mode, `"mode" of ${this.#what} says nothing without unix:`, { found: null })
    const port = map.entries.get('port')
    if (port === undefined) {
      if (!meant.has('port') && !meant.has('unix'))
        reader.mistake(this.#entry, `${this.#what} does not say where it listens`, {
          found: null,
          expected: 'port: and a number, 8883 for TLS and 9001 for WebSocket as a rule; or unix: and a path',
        })
      return undefined
    }
    const number = readNumber(port.value, `"port" of ${this.#what}`, reader, {
      expected: 'a whole number from 1 to 65535',
      isRight: (value) => Number.isInteger(value) && value >= 1 && value <= 65_535,
    })
    const bind = fieldsIn(map, `of ${this.#what}`)('bind', (tree, what) => this.#bind(tree, what))
    if (number === undefined || (bind === undefined && map.entries.has('bind'))) return undefined
    const { where } = this.#request.main
    return { kind: 'tcp', bind: bind ?? (where.kind === 'tcp' ? where.bind : []), port: number }
  }

  #bind(tree: Tree, what: string) {
    const parts = tree.kind === 'list' ? tree.items : [tree]
    const texts = parts.map((part) =>
      this.#reader.text(part, what, 'lan, loopback, all, an interface or an address'),
    )
    if (texts.some((text) => text === undefined)) return undefined
    const place = this.#reader.place(tree)
    return readBind(
      {
        name: what,
        value: texts.join(','),
        place,
        mistake: (message, { expected, suggestion } = {}) =>
          this.#reader.mistake(tree, message, { expected, suggestion }),
      },
      this.#warnings,
    )
  }

  #unix(entry: TreeEntry, map: TreeMap): ListenerPlace | undefined {
    const reader = this.#reader
    for (const key of ['port', 'bind', 'tls', 'websocket']) {
      const other = map.entries.get(key)
      if (other !== undefined)
        reader.mistake(other, `${this.#what} has unix: and ${key}:`, {
          found: null,
          expected: 'one of them: a Unix socket has no port, and carries plain MQTT',
        })
    }
    const path = reader.text(entry.value, `"unix" of ${this.#what}`, 'a whole path: /run/damselfly/mqtt.sock')
    if (path === undefined) return undefined
    const problem = isAbsolute(path) ? pathProblem(path, 'choose a shorter one') : `${path} is no whole path`
    if (problem !== undefined)
      return reader.mistake(entry.value, `"unix" of ${this.#what}: ${problem}`, {
        found: null,
        expected: 'a whole path: /run/damselfly/mqtt.sock',
      })
    const modeTree = map.entries.get('mode')?.value
    const mode = modeTree === undefined ? 0o660 : this.#mode(modeTree)
    return mode === undefined ? undefined : { kind: 'unix', path, mode }
  }

  /** @NOTE without quotes 0660 is a number of YAML, six hundred and sixty: what is written counts */
  #mode(tree: Tree): number | undefined {
    const written = this.#reader.source.excerpt(tree.start, tree.end).replaceAll(/^['"]|['"]$/g, '')
    const digits = /^(?:0o?)?([0-7]{3})$/.exec(written)?.[1]
    if (digits !== undefined) return Number.parseInt(digits, 8)
    return this.#reader.mistake(tree, `"mode" of ${this.#what} is no file mode`, {
      expected: 'three octal digits, in quotes',
      suggestion: "'0660': this user and its group; '0666': everybody on this machine",
    })
  }

  #webSocket(tree: Tree, what: string): WebSocketTerms | undefined {
    const reader = this.#reader
    const terms = { path: '/mqtt', origins: [] }
    if (tree.kind === 'scalar' && tree.value === true) return terms
    if (tree.kind === 'scalar' && tree.value === false) return undefined
    const map = reader.map(tree, what, 'true, or { path: /mqtt, origins: [https://panel.example.org] }')
    if (map === undefined) return undefined
    reader.knownKeys(map, what, Object.keys(webSocketKeys))
    const field = fieldsIn(map, `of ${what}`)
    const path = field('path', (value, name) => {
      const text = reader.text(value, name, 'a path such as /mqtt')
      if (text === undefined || text === anyPath || /^\/[^\s?#]*$/.test(text)) return text
      return reader.mistake(value, `${name} is no path`, {
        expected: 'a path such as /mqtt, without ? and #; or "*" for every path',
      })
    })
    const origins = field('origins', (value, name) =>
      (value.kind === 'list' ? value.items : [value]).flatMap((item) => this.#origin(item, name) ?? []),
    )
    return { path: path ?? terms.path, origins: origins ?? terms.origins }
  }

  #origin(tree: Tree, what: string): string | undefined {
    const expected = 'what stands before the path of the page: https://panel.example.org; or "*" for all'
    const text = this.#reader.text(tree, what, expected)
    if (text === undefined || text === '*' || text === 'null') return text
    const url = URL.canParse(text) ? new URL(text) : undefined
    const origin = url === undefined ? undefined : `${url.protocol}//${url.host}`
    if (url?.host && text.toLowerCase().replace(/\/$/, '') === origin) return origin
    return this.#reader.mistake(tree, `${what} has an entry that is no origin`, {
      expected,
      suggestion: url?.host ? origin : undefined,
    })
  }

  async #tls(tree: Tree): Promise<ListenerTls | undefined> {
    if (tree.kind === 'scalar' && tree.value === false) return undefined
    return await readTls(tree, `tls of ${this.#what}`, this.#reader, this.#files)
  }

  /**
   * Who may come in here, and do what. With users of its own a listener knows no others, those of `.env` neither; with a
   * list of its own that one alone counts.
   */
  async #access(map: TreeMap): Promise<Pick<Listener, 'credentials' | 'users' | 'acl'>> {
    const { credentials, users, acl } = this.#request.main
    const ownUsers = await this.#file(map.entries.get('users')?.value, 'users', readUsersFile)
    const ownAcl = await this.#file(map.entries.get('acl')?.value, 'acl', readAclFile)
    const known =
      ownUsers === undefined ? { credentials, users } : { credentials: undefined, users: ownUsers }
    return { ...known, acl: ownAcl ?? acl }
  }

  /** What stands in the file that the key names; undefined without the key, or when there is no such file, which is told. */
  async #file<Content>(
    tree: Tree | undefined,
    key: string,
    read: (
      path: string,
      shown: string,
      problems: ProblemList,
      warnings: ProblemList,
    ) => Promise<Content | undefined>,
  ): Promise<Content | undefined> {
    if (tree === undefined) return undefined
    const what = `"${key}" of ${this.#what}`
    const file = this.#files.path(tree, what)
    if (file === undefined) return undefined
    const content = await read(file.path, file.shown, this.#reader.problems, this.#warnings)
    if (content !== undefined) return content
    return this.#files.tellAbsent(tree, what, file.shown)
  }

  #tellTaken(map: TreeMap, where: ListenerPlace, places: Map<string, string>): void {
    const key = placeKey(where)
    const other = places.get(key)
    places.set(key, this.#what)
    if (other === undefined) return
    const entry = map.entries.get(where.kind === 'tcp' ? 'port' : 'unix') ?? this.#entry
    this.#reader.mistake(
      entry,
      `${this.#what} and ${other} have the same ${where.kind === 'tcp' ? 'port' : 'path'}`,
      {
        expected: 'one for each',
      },
    )
  }
}

function readAllowAnonymous(tree: Tree, what: string, reader: TreeReader): AllowAnonymous | undefined {
  const value = tree.kind === 'scalar' ? tree.value : undefined
  if (value === true) return 'everyone'
  if (value === false) return 'nobody'
  if (value === 'local') return 'local'
  return reader.mistake(tree, `${what} is not one of its three values`, {
    expected: 'local (clients on this machine), true (everyone) or false (nobody)',
  })
}

function placeKey(where: ListenerPlace): string {
  return where.kind === 'tcp' ? `port ${where.port}` : where.path
}

function mainWords({ where }: Listener): string {
  return `that of .env${where.kind === 'tcp' ? ` (PORT=${where.port})` : ''}`
}
