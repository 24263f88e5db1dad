import assert from 'node:assert/strict'
import { createConnection, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { type IClientOptions, type IPublishPacket, MqttClient, type Packet } from 'mqtt'
import { passwordHashText } from '#src/core/password-hash.js'
import type { LogRecord, TestDaemon } from './daemon.js'
import { until } from './until.js'
import { userOf } from './users.js'

/** The lines of a file of users; each password is the name backwards. */
export function usersText(names: readonly string[], iterations?: number): string {
  return names
    .map((name) => `${name}:${passwordHashText(userOf(name, passwordOf(name), iterations).password)}\n`)
    .join('')
}

export function passwordOf(name: string): string {
  return [...name].reverse().join('')
}

/** A loopback address that nobody had before: one of its own for each attack, so that its log lines are its own. */
export function ownAddress(): string {
  addresses++
  return `127.0.${1 + (addresses >> 8)}.${addresses & 255}`
}
let addresses = 1

/** MQTT.js, and from where it comes. */
export interface Attacker {
  readonly mqtt: MqttClient
  readonly address: string
  /** `topic payload` of what it was sent. */
  readonly heard: string[]
}

export interface AttackerOptions extends IClientOptions {
  readonly address?: string
  /** Opens the connection; TCP to the daemon unless told. */
  readonly open?: (address: string) => Socket
}

/** Connects MQTT.js, MQTT 3.1.1 unless told, from an address of its own. Rejects with the CONNACK's code in `code`. */
export async function attacker(
  context: TestContext,
  port: number,
  { address = ownAddress(), open, ...options }: AttackerOptions = {},
): Promise<Attacker> {
  const connect = open ?? ((localAddress) => createConnection({ host: '127.0.0.1', port, localAddress }))
  const mqtt = new MqttClient(() => connect(address) as never, {
    protocolVersion: 4,
    reconnectPeriod: 0,
    clientId: `c${address}`,
    ...options,
  })
  context.after(() => mqtt.end(true))
  const heard: string[] = []
  mqtt.on('message', (topic, payload) => heard.push(`${topic} ${payload}`))
  await new Promise<void>((resolve, reject) => {
    mqtt.once('connect', () => resolve())
    mqtt.once('error', reject)
    mqtt.once('close', () => reject(new Error('closed before CONNACK')))
  })
  mqtt.on('error', () => {})
  return { mqtt, address, heard }
}

/** Name and password of a user of `usersText`. */
export function as(name: string): Pick<IClientOptions, 'username' | 'password'> {
  return { username: name, password: passwordOf(name) }
}

/** The codes of the SUBACK. */
export async function granted(
  { mqtt }: Attacker,
  filter: string,
  qos: 0 | 1 | 2 = 1,
): Promise<readonly number[]> {
  const answer = new Promise<readonly number[]>((resolve) => {
    const look = (packet: Packet): void => {
      if (packet.cmd !== 'suback') return
      mqtt.off('packetreceive', look)
      resolve(packet.granted as number[])
    }
    mqtt.on('packetreceive', look)
  })
  mqtt.subscribe(filter, { qos }, () => {})
  return await answer
}

/** The reason code of the answer to a PUBLISH of QoS 1 or 2; 0 for none at QoS 0. */
export async function published(
  { mqtt }: Attacker,
  topic: string,
  payload: string,
  options: { qos?: 0 | 1 | 2; retain?: boolean; properties?: IPublishPacket['properties'] } = {},
): Promise<number> {
  const { properties, ...rest } = options
  try {
    await mqtt.publishAsync(topic, payload, { ...rest, ...(properties && { properties }) })
    return 0
  } catch (error) {
    return codeOf(error)
  }
}

/** The reason code that MQTT.js puts into an error. */
export function codeOf(error: unknown): number {
  const { code } = error as { code?: unknown }
  if (typeof code !== 'number') throw error
  return code
}

/** The code of the CONNACK that refuses. */
export async function refusedWith(
  context: TestContext,
  port: number,
  options: AttackerOptions,
): Promise<number> {
  const error = await attacker(context, port, options).then(
    () => undefined,
    (cause: unknown) => cause,
  )
  assert.ok(error !== undefined, 'it was let in')
  return codeOf(error)
}

/** The one line of the log that says what was refused to this address; it waits for it. */
export async function theLine(
  daemon: TestDaemon,
  msg: string,
  address: string,
  reason: RegExp,
): Promise<LogRecord> {
  const found = (): LogRecord[] =>
    daemon.having(msg).filter((line) => line['address'] === address && reason.test(String(line['reason'])))
  await until(
    `"${msg}" about ${address}: ${reason}\n${daemon.log
      .slice(-12)
      .map((line) => JSON.stringify(line))
      .join('\n')}`,
    () => found().length > 0,
  )
  const lines = found()
  assert.equal(lines.length, 1, 'one line, not more')
  assert.equal(lines[0]?.level, 'warn')
  return lines[0] as LogRecord
}

/** Bytes from an address of its own, and what comes back. */
export class RawAttacker {
  readonly address: string
  readonly socket: Socket
  received: Buffer = Buffer.alloc(0)
  isClosed = false

  constructor(context: TestContext, port: number, { address = ownAddress(), allowHalfOpen = false } = {}) {
    this.address = address
    this.socket = createConnection({ host: '127.0.0.1', port, localAddress: address, allowHalfOpen })
    this.socket.on('error', () => {})
    this.socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk])
    })
    this.socket.on('close', () => {
      this.isClosed = true
    })
    context.after(() => this.socket.destroy())
  }

  send(bytes: Uint8Array | string): this {
    this.socket.write(bytes)
    return this
  }

  async closed(): Promise<Buffer> {
    await until('the connection to be closed', () => this.isClosed)
    return this.received
  }
}
