import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { pbkdf2Sync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { MqttClient } from 'mqtt'
import { freePort, startDaemon, type TestDaemon } from '../support/daemon.js'
import { tempFolder } from '../support/temp-folder.js'
import { until } from '../support/until.js'

const rounds = 100
/** The round that takes somebody's right away. */
const revocation = 50

test('a hundred reloads under load: nobody who may stay is dropped, no message is lost, and who may not stay goes', async (context) => {
  const house = await House.start(context)
  const { daemon } = house
  const publisher = await daemon.connect({ ...as('alice'), clientId: 'alice' })
  const overTcp = await daemon.connect({ ...as('bob'), clientId: 'bob', clean: false })
  const overTls = await daemon.connect({
    ...{ ...as('bob'), clientId: 'bob-tls', protocol: 'mqtts', port: house.securePort },
    rejectUnauthorized: false,
  })
  const overWeb = await daemon.connect({
    ...{ ...as('bob'), clientId: 'bob-web', protocol: 'ws', port: house.webPort, path: '/mqtt' },
  })
  const mallory = await daemon.connect({ ...as('mallory'), clientId: 'mallory' })
  const stay = [publisher, overTcp, overTls, overWeb]
  const closed: string[] = []
  for (const client of stay) client.on('close', () => closed.push(`${client.options.clientId}`))
  let malloryClosedIn = 0
  mallory.on('close', () => (malloryClosedIn ||= house.round))
  const readers = await Promise.all([overTcp, overTls, overWeb].map(readerOf))

  const load = startLoad(publisher)
  for (let round = 1; round <= rounds; round++) await house.change(round)
  const sent = await load.end()

  for (const { numbers } of readers)
    await until(`all of ${sent} messages`, () => numbers.length >= sent || closed.length > 0)
  assert.deepEqual(closed, [], 'who may stay has stayed')
  const all = Array.from({ length: sent }, (_, index) => index)
  for (const { numbers } of readers) assert.deepEqual(numbers, all, 'each message once, in order')
  assert.equal(malloryClosedIn, revocation)
  assert.ok(daemon.having('configuration reloaded').length >= rounds, 'good files, those after bad ones too')
  assert.ok(daemon.having('not reloaded: the last good configuration stays').length >= house.refusals)
})

function as(user: string): { username: string; password: string } {
  return { username: user, password: `${user}'s password` }
}

async function readerOf(client: MqttClient): Promise<{ readonly numbers: readonly number[] }> {
  const numbers: number[] = []
  client.on('message', (_, payload) => numbers.push(Number(payload)))
  await client.subscribeAsync('load/+/numbers', { qos: 1 })
  return { numbers }
}

/** A thousand messages a second, until `end`, which gives how many were acknowledged. */
function startLoad(publisher: MqttClient): { end(): Promise<number> } {
  let sent = 0
  let isOver = false
  const acknowledged: Promise<unknown>[] = []
  const timer = setInterval(() => {
    for (let index = 0; index < 20 && !isOver; index++)
      acknowledged.push(publisher.publishAsync('load/alice/numbers', `${sent++}`, { qos: 1 }))
  }, 20)
  return {
    end: async () => {
      isOver = true
      clearInterval(timer)
      await Promise.all(acknowledged)
      return sent
    },
  }
}

class House {
  readonly daemon: TestDaemon
  readonly securePort: number
  readonly webPort: number
  round = 0
  /** Reloads that were to be refused. */
  refusals = 0
  readonly #certificates: readonly string[]
  readonly #morePort: number

  static async start(context: TestContext): Promise<House> {
    const folder = await tempFolder(context)
    const certificates = ['one', 'two'].map((name) => makeCertificate(folder, name))
    const [securePort, webPort, morePort] = [await freePort(), await freePort(), await freePort()]
    const files = {
      'config/users': usersText(['alice', 'bob', 'mallory']),
      'config/acl': aclText(''),
      'config/server.pem': certificates[0] as string,
    }
    const yaml = yamlText({ securePort, webPort })
    const env = 'ALLOW_ANONYMOUS=false'
    const daemon = await startDaemon(context, { folder, files, yaml, env })
    return new House(daemon, certificates, [securePort, webPort, morePort])
  }

  private constructor(
    daemon: TestDaemon,
    certificates: readonly string[],
    [securePort = 0, webPort = 0, morePort = 0]: readonly number[],
  ) {
    this.daemon = daemon
    this.#certificates = certificates
    this.securePort = securePort
    this.webPort = webPort
    this.#morePort = morePort
  }

  /** Changes one of the files, each in its turn, and reloads. */
  async change(round: number): Promise<void> {
    this.round = round
    const users = ['alice', 'bob', ...(round < revocation ? ['mallory'] : [])]
    const file = (name: string, text: string) =>
      writeFile(join(this.daemon.folder, name), text, { mode: 0o600 })
    const { securePort, webPort } = this
    const kind = round === revocation ? 0 : round % 10
    if (kind === 0) await file('config/users', usersText([...users, `guest-${round}`]))
    else if (kind === 1) await file('config/acl', aclText(`user guest\ntopic read round/${round}`))
    else if (kind === 2)
      await file('config/server.pem', this.#certificates[round % 20 === 2 ? 1 : 0] as string)
    else if (kind === 3)
      await file('config/damselfly.yaml', yamlText({ securePort, webPort, morePort: this.#morePort }))
    else if (kind === 4) await file('config/damselfly.yaml', yamlText({ securePort, webPort, rule: round }))
    else if (kind === 5) await this.#env(`MAX_QUEUED_MESSAGES=${1_000_000 + round}`)
    else if (kind === 6) return this.#refused('config/acl', 'topic reed #', aclText(''))
    else if (kind === 7) return this.#refused('config/users', 'no hash here', usersText(users))
    else if (kind === 8)
      return this.#refused('config/server.pem', 'no certificate', this.#certificates[0] as string)
    else
      await file(
        'config/damselfly.yaml',
        yamlText({ securePort, webPort, bridgedPort: this.#morePort + (round % 3) }),
      )
    await this.#reload('configuration reloaded')
  }

  async #env(line: string): Promise<void> {
    const { folder, port } = this.daemon
    const lines = [
      `PORT=${port}`,
      'BIND=loopback',
      'NAME=test',
      'GPIO_CHIP=simulated',
      'ALLOW_ANONYMOUS=false',
    ]
    await writeFile(join(folder, '.env'), [...lines, line, ''].join('\n'), { mode: 0o600 })
  }

  /** A bad file, and the good one again. */
  async #refused(name: string, bad: string, good: string): Promise<void> {
    const path = join(this.daemon.folder, name)
    await writeFile(path, bad)
    this.refusals++
    await this.#reload('not reloaded: the last good configuration stays')
    await writeFile(path, good)
    await this.#reload('configuration reloaded')
  }

  async #reload(message: string): Promise<void> {
    // the daemon watches the files as well: what it has seen by itself is a reload too
    const before = this.daemon.having(message).length
    this.daemon.kill('SIGHUP')
    await this.daemon.logged(message, before + 1)
  }
}

function yamlText(options: {
  readonly securePort: number
  readonly webPort: number
  readonly morePort?: number
  readonly rule?: number
  /** Where a bridge finds nobody. */
  readonly bridgedPort?: number
}): string {
  const { securePort, webPort, morePort, rule = 0, bridgedPort } = options
  const bridge = `bridges: { away: { address: "mqtt://127.0.0.1:${bridgedPort}", topics: [load/#] } }\n`
  return `listeners:
  secure: { port: ${securePort}, bind: loopback, tls: { cert: server.pem, key: server.pem } }
  web: { port: ${webPort}, bind: loopback, websocket: true }
${morePort === undefined ? '' : `  more: { port: ${morePort}, bind: loopback }\n`}${bridgedPort === undefined ? '' : bridge}rules:
  - { name: counted, on: load/+/numbers, when: payload == ${rule}, do: { publish: counted, text: "${rule}" } }
`
}

function aclText(more: string): string {
  return `user alice
topic write load/alice/#
user bob
topic read load/#
user mallory
topic read load/#
${more}
`
}

function usersText(names: readonly string[]): string {
  return names.map((name) => `${name}:${hashOf(as(name).password)}\n`).join('')
}

function hashOf(password: string): string {
  const known = hashes.get(password)
  if (known !== undefined) return known
  const salt = Buffer.from('twelve bytes')
  const hash = pbkdf2Sync(password, salt, 1_000, 64, 'sha512')
  const line = `$7$1000$${salt.toString('base64')}$${hash.toString('base64')}`
  hashes.set(password, line)
  return line
}

const hashes = new Map<string, string>()

/** Certificate and key in one text. */
function makeCertificate(folder: string, name: string): string {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)]
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const args = ['req', '-x509', ...kind, '-subj', `/CN=${name}`, '-keyout', key, '-out', cert]
  execFileSync('openssl', args, { stdio: 'ignore' })
  return readFileSync(cert, 'utf8') + readFileSync(key, 'utf8')
}
