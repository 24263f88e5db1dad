import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import type { Access } from '#src/broker/access.js'
import { type LimitName, setLimits } from '#src/core/limits.js'
import { Secret } from '#src/core/secret.js'
import { brokerWorld } from './broker.js'
import { type Carrier, carriedBroker } from './carrier.js'
import { startMosquitto } from './mosquitto.js'

/** `tls`, `ws` and `wss`: our broker, over that. */
const carrier = ['tls', 'ws', 'wss'].find((name) => name === process.env['CONFORMANCE']) as
  | Carrier
  | undefined

/**
 * The broker under test is ours. `CONFORMANCE=mosquitto` puts mosquitto in its place: what it keeps, too, is
 * no private reading of the standard. Where it does not keep the standard, a comment beside the test says so.
 */
export const isOurs = process.env['CONFORMANCE'] !== 'mosquitto'

export interface TargetOptions {
  /** For the whole process, until the test has ended. */
  readonly limits?: Readonly<Partial<Record<LimitName, number>>>
  /** Only this user may connect. */
  readonly credentials?: Credentials
}

interface Credentials {
  readonly username: string
  readonly password: string
}

/** The tests of one chapter, each with its title, at the same time against one broker. */
export function runChapter<Place>(
  title: string,
  cases: Readonly<Record<string, (place: Place) => Promise<void>>>,
  placeAt: (context: TestContext, port: number) => Place,
  options: TargetOptions = {},
): void {
  test(title, { concurrency: 12 }, async (context) => {
    const port = await startTarget(context, options)
    const runs = Object.entries(cases).map(([name, run]) =>
      context.test(name, (own) => run(placeAt(own, port))),
    )
    await Promise.all(runs)
  })
}

/** Starts the broker under test; it goes with the test. @returns its port */
export async function startTarget(context: TestContext, options: TargetOptions = {}): Promise<number> {
  const { limits, credentials } = options
  if (!isOurs) {
    const config = mosquittoConfig(options)
    const files: Record<string, string> =
      credentials === undefined ? {} : { passwords: mosquittoPassword(credentials) }
    return (await startMosquitto(context, { config, files })).port
  }
  if (limits !== undefined) {
    setLimits(limits)
    context.after(() => setLimits({}))
  }
  const startOurs = async (access?: Access): Promise<number> => {
    if (carrier !== undefined) return await carriedBroker(context, carrier, access)
    return (await brokerWorld(context, access === undefined ? {} : { access })).port
  }
  if (credentials === undefined) return await startOurs()
  const { username, password } = credentials
  const access = {
    allowAnonymous: 'nobody',
    credentials: { username, password: new Secret(password) },
  } as const
  return await startOurs(access)
}

/** mosquitto's words for our limits, where it has one. */
function mosquittoConfig({ limits = {}, credentials }: TargetOptions): string {
  return [
    // without these two it throws away what it has no room for
    `max_inflight_messages ${limits.inflightMessagesMax ?? 0}`,
    'max_queued_messages 0',
    // without this one it sends one copy to overlapping subscriptions, at the QoS of any of them
    'allow_duplicate_messages true',
    `max_packet_size ${limits.packetBytesMax ?? 10_485_760}`,
    `max_keepalive ${limits.keepAliveSecondsMax ?? 65_535}`,
    ...(credentials === undefined ? ['allow_anonymous true'] : ['password_file passwords']),
  ].join('\n')
}

/** A line of mosquitto's password file. */
function mosquittoPassword({ username, password }: Credentials): string {
  const salt = randomBytes(12)
  const hash = pbkdf2Sync(password, salt, 101, 64, 'sha512')
  return `${username}:$7$101$${salt.toString('base64')}$${hash.toString('base64')}\n`
}
