import { randomUUID } from 'node:crypto'
import { connect as connectSocket } from 'node:net'
import type { IClientOptions, MqttClient } from 'mqtt'
import { DamselflyError, errnoOf, reasonOf } from '../core/errors.ts'
import type { Secret } from '../core/secret.ts'
import type { Door } from '../moving/move.ts'

/** Who the import is to the brokers. */
export interface Credentials {
  readonly username: string
  readonly password: Secret
}

/** How a door answers to a CONNECT. */
export type Answer =
  | 'accepted'
  /** By CONNACK: a name and a password are wanted, or others. */
  | 'refused'
  /** The connection ended without an answer, as where a certificate is wanted. */
  | 'broken'
  /** Nothing listens there. */
  | 'absent'

const connectTimeoutMs = 5_000

/** A door in words: `mqtts-8883 (127.0.0.1:8883)`. */
export function shownDoor({ name, host, port, unix }: Door): string {
  return `${name} (${unix ?? `${host}:${port}`})`
}

/**
 * Connects to what listens at a door of this machine. Its certificate is not looked at: the way does not leave the machine.
 * @throws DamselflyError `BROKER_UNREACHABLE` when nothing answers, `CONNECTION_REFUSED` when the answer is no; its cause
 *   is what MQTT.js said
 */
export async function connectTo(
  door: Door,
  credentials: Credentials | undefined,
  version: 4 | 5,
): Promise<MqttClient> {
  const { default: mqtt } = await import('mqtt')
  const options: IClientOptions = {
    protocolVersion: version,
    clientId: `damselfly-import-${randomUUID().slice(0, 8)}`,
    clean: true,
    reconnectPeriod: 0,
    connectTimeout: connectTimeoutMs,
    resubscribe: false,
    rejectUnauthorized: false,
    ...(credentials === undefined
      ? {}
      : { username: credentials.username, password: credentials.password.reveal() }),
  }
  const client = open(mqtt, door, options)
  client.on('error', () => {}) // the first is told below; of later ones 'close' is what counts
  try {
    await answered(client)
    return client
  } catch (cause) {
    client.end(true)
    const isRefusal = typeof (cause as { code?: unknown }).code === 'number'
    const message = `${shownDoor(door)}: ${reasonOf(cause)}`
    throw new DamselflyError(isRefusal ? 'CONNECTION_REFUSED' : 'BROKER_UNREACHABLE', message, { cause })
  }
}

function open(mqtt: typeof import('mqtt').default, door: Door, options: IClientOptions): MqttClient {
  const { unix, host, port, isTls, isWebSocket } = door
  if (unix !== undefined) return new mqtt.MqttClient(() => connectSocket(unix), options)
  const scheme = isWebSocket ? (isTls ? 'wss' : 'ws') : isTls ? 'mqtts' : 'mqtt'
  const authority = host.includes(':') ? `[${host}]` : host
  return mqtt.connect(`${scheme}://${authority}:${port}${isWebSocket ? '/mqtt' : ''}`, options)
}

function answered(client: MqttClient): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: unknown
    client.once('connect', () => resolve())
    client.once('error', (error) => {
      failure = error
      reject(error)
    })
    client.once('close', () => reject(failure ?? new Error('the connection ended without an answer')))
  })
}

/** Asks a door whether it lets somebody in; undefined: somebody without a name. */
export async function ask(door: Door, credentials: Credentials | undefined): Promise<Answer> {
  try {
    const client = await connectTo(door, credentials, 4)
    await client.endAsync()
    return 'accepted'
  } catch (error) {
    if (!(error instanceof DamselflyError)) throw error
    if (error.code === 'CONNECTION_REFUSED') return 'refused'
    const errno = errnoOf(error.cause)
    return errno === 'ECONNREFUSED' || errno === 'ENOENT' ? 'absent' : 'broken'
  }
}

/** What each door answers to who is known here, and to who is not. */
export async function askAll(
  doors: readonly Door[],
  credentials: Credentials | undefined,
): Promise<ReadonlyMap<string, Answer>> {
  const answers = new Map<string, Answer>()
  for (const door of doors) {
    answers.set(`${shownDoor(door)}, without a name`, await ask(door, undefined))
    if (credentials !== undefined)
      answers.set(`${shownDoor(door)}, as ${credentials.username}`, await ask(door, credentials))
  }
  return answers
}

/**
 * The way by which the retained messages are read: one without TLS, if there is one, and never one whose clients see other
 * topics or need a certificate, if there is another.
 */
export function sourceDoor(doors: readonly Door[]): Door {
  const [best] = doors.toSorted((one, other) => rank(one) - rank(other))
  if (best === undefined)
    throw new DamselflyError(
      'USAGE',
      'this mosquitto has no listener that retained messages could be read by',
    )
  return best
}

function rank({ isMounted, wantsCertificate, isWebSocket, isTls }: Door): number {
  return Number(isMounted) * 8 + Number(wantsCertificate) * 4 + Number(isWebSocket) * 2 + Number(isTls)
}
