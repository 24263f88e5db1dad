import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { IPublishPacket, MqttClient } from 'mqtt'
import { brokerSocket } from '../core/broker-socket.ts'
import { DamselflyError } from '../core/errors.ts'
import type { QoS } from '../core/message.ts'
import { PacketGuard } from '../core/packet-guard.ts'
import type { BrokerAddress } from './broker-address.ts'
import type { ConnectionTerms } from './connection-terms.ts'
import { closedEarly, connectionLost, explainFailure, noAnswer, tooLarge } from './failure.ts'

/** Half as long again without an answer to a ping, and the connection counts as lost. */
const keepAliveSeconds = 30
/** Of a broker that is looked for: its address may change, and this is how soon that is noticed. */
const searchedKeepAliveSeconds = 10

export interface ConnectionOptions {
  readonly broker: BrokerAddress
  readonly clientId: string
  /** From the first packet to CONNACK. */
  readonly timeoutMs: number
  /** Breaks off an attempt; does nothing to a connection that stands. */
  readonly signal: AbortSignal
  readonly onMessage: (message: Arrival) => void
  /** Asked after each message: the next one is not read before this resolves, and the broker has to wait. */
  readonly room?: (() => Promise<void> | undefined) | undefined
  /** Told once, when a connection that stood is over, also after `end`. */
  readonly onEnd: (reason: DamselflyError) => void
}

/** A message as it came from the broker. */
export interface Arrival {
  readonly topic: string
  /** A part of a larger chunk: to be copied by whoever keeps it. */
  readonly bytes: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly packetId: number
  /** Of MQTT 5. */
  readonly properties?: IPublishPacket['properties'] | undefined
}

/** A message on its way out. */
export interface Departure {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: QoS
  readonly retain: boolean
}

/** One connection to a broker, from CONNACK to its end. It never comes back: that is the business of `Link`. */
export class Connection {
  readonly #client: MqttClient
  readonly #socket: Duplex
  readonly #terms: ConnectionTerms
  /** Resolves when it is over. */
  readonly ended: Promise<void>

  /** @throws DamselflyError `BROKER_UNREACHABLE`, `CONNECTION_REFUSED` */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const { MqttClient: Mqtt } = await import('mqtt')
    const { broker } = options
    const { timeoutMs, signal } = options
    const { username, password, protocolVersion = 4, terms = {} } = broker
    const socket = await (terms.transport?.() ?? brokerSocket(broker, undefined, { timeoutMs, signal }))
    let failure: Error | undefined
    const fail = (error: Error): void => {
      failure ??= error
      socket.destroy()
    }
    guard(socket, (bytes) => fail(tooLarge(broker, bytes)))
    const client = new Mqtt(() => socket as Socket, {
      protocolVersion,
      ...(protocolVersion === 3 ? { protocolId: 'MQIsdp' } : {}),
      clientId: options.clientId,
      clean: terms.isClean ?? true,
      keepalive:
        terms.keepAliveSeconds ?? (broker.search === undefined ? keepAliveSeconds : searchedKeepAliveSeconds),
      connectTimeout: options.timeoutMs,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      writeCache: false, // 19 MB of ready-made numbers
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password: password.reveal() }),
      ...(terms.will === undefined ? {} : { will: terms.will }),
      ...(terms.connectProperties === undefined ? {} : { properties: terms.connectProperties }),
    })
    const { onPacket } = terms
    if (onPacket !== undefined) {
      onPacket({ cmd: 'connect', clientId: options.clientId }, true) // it has been sent before anybody could listen
      client.on('packetsend', (packet) => onPacket(packet, true))
      client.on('packetreceive', (packet) => onPacket(packet, false))
    }
    return new Promise((resolve, reject) => {
      let connection: Connection | undefined
      let hasAnswered = false
      const abort = (): void => void socket.destroy()
      if (options.signal.aborted) abort()
      options.signal.addEventListener('abort', abort)
      socket.once('connect', () => {
        hasAnswered = true
      })
      client.on('error', fail)
      client.on('message', (topic, bytes, { qos, retain, messageId = 0, properties }) =>
        options.onMessage({ topic, bytes, qos, retain, packetId: messageId, properties }),
      )
      client.handleMessage = (_packet, done) => {
        const room = options.room?.()
        if (room === undefined) done()
        else void room.then(() => done())
      }
      client.once('connect', () => {
        options.signal.removeEventListener('abort', abort)
        connection = new Connection(client, socket, terms)
        resolve(connection)
      })
      client.once('close', () => {
        options.signal.removeEventListener('abort', abort)
        if (connection !== undefined)
          options.onEnd(failure instanceof DamselflyError ? failure : connectionLost(broker, failure))
        else if (failure === undefined) reject(closedEarly(broker))
        // @NOTE a message, because MQTT.js has no code for it
        else if (failure.message === 'connack timeout')
          reject(noAnswer(broker, options.timeoutMs, hasAnswered))
        else reject(explainFailure(failure, broker))
      })
    })
  }

  private constructor(client: MqttClient, socket: Duplex, terms: ConnectionTerms) {
    this.#client = client
    this.#socket = socket
    this.#terms = terms
    this.ended = new Promise((resolve) => client.once('close', resolve))
  }

  /**
   * Calls `onDone` when the broker has acknowledged it; for QoS 0 when it is written. Not when the connection ends.
   * @param onDone with why the broker does not take it, which MQTT 5 can say
   */
  publish({ topic, payload, qos, retain }: Departure, onDone: (refusal?: string) => void): void {
    const { publishProperties } = this.#terms
    const properties = publishProperties === undefined ? {} : { properties: publishProperties }
    this.#client.publish(topic, payload, { qos, retain, ...properties }, (error) => {
      if (error === undefined || error === null) onDone()
      else if (typeof (error as { code?: unknown }).code === 'number') onDone(error.message)
    })
  }

  /** Calls `onAnswer` with the broker's answer. Not when the connection ends. */
  subscribe(filter: string, qos: QoS, onAnswer: (isAccepted: boolean) => void): void {
    this.#client.subscribe(filter, { qos, ...this.#terms.subscribeOptions }, (error) => {
      if (error === null) onAnswer(true)
      else if ('packet' in error && error.packet !== undefined) onAnswer(false) // else the connection was lost
    })
  }

  /** Calls `onDone` when the broker has taken note. Not when the connection ends. */
  unsubscribe(filter: string, onDone: () => void): void {
    this.#client.unsubscribe(filter, this.#terms.unsubscribeOptions ?? {}, (error) => {
      if (error === undefined || error === null) onDone()
    })
  }

  /** Says goodbye after all that was written, and waits, at most so long, until the broker has read it all. */
  async end(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.#socket.destroy(), timeoutMs)
    const properties = this.#terms.disconnectProperties
    this.#client.end(false, properties === undefined ? {} : { properties })
    await this.ended
    clearTimeout(timer)
  }

  /** Ends it at once. */
  destroy(): void {
    this.#socket.destroy()
  }
}

/** Tells of a packet that is larger than `packetBytesMax` before MQTT.js collects it; goes before it on the socket. */
function guard(socket: Duplex, onTooLarge: (bytes: number) => void): void {
  const packets = new PacketGuard()
  socket.on('data', (chunk: Buffer) => {
    const bytes = packets.inspect(chunk)
    if (bytes !== undefined) onTooLarge(bytes)
  })
}
