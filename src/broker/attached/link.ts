import type { Socket } from 'node:net'
import type { IClientOptions, MqttClient } from 'mqtt'
import { brokerSocket } from '../../core/broker-socket.ts'
import { limits } from '../../core/limits.ts'
import type { QoS } from '../../core/message.ts'
import { PacketGuard } from '../../core/packet-guard.ts'
import type { RemoteBroker } from '../../core/remote-broker.ts'
import { closedByPeer, closedEarly, failureOf, type LinkFailure, notMqtt, silent } from './link-failure.ts'
import type { PacketIds } from './packet-ids.ts'

/** How long a broker may take from the first packet of ours to CONNACK. */
const connectTimeoutMs = 10_000
/** How long it may take to close after DISCONNECT. */
const endTimeoutMs = 1_000
/** AWS IoT, for one, takes no more filters in one packet. */
const filtersPerPacket = 8
/** The fixed header of the first packet from a broker [MQTT-3.2.0-1]. */
const connackHeader = Uint8Array.of(0x20, 2)

export interface LinkOptions {
  readonly broker: RemoteBroker
  readonly clientId: string
  /** Begins without what the broker has kept for this client id, and leaves nothing behind. */
  readonly isClean: boolean
  /** Published, retained, by the broker when the connection breaks. */
  readonly will?: { readonly topic: string; readonly payload: string }
  readonly keepAliveS: number
  readonly packetIds: PacketIds
  /** A file of certificates; the system's unless told. */
  readonly authorities?: string
  /** Ends an attempt that is under way. */
  readonly signal: AbortSignal
  onMessage(message: LinkMessage): void
}

/** A message as it came. */
export interface LinkMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: QoS
  readonly retain: boolean
}

/** A message to send. */
export interface LinkPublish extends LinkMessage {
  /** The packet id that it had on an earlier connection. */
  readonly againAs?: number | undefined
}

/** One connection to a broker, from CONNACK to its end. It does not come back: another one takes its place. */
export interface Link {
  /** The broker has kept our session: subscriptions, and messages that came meanwhile. */
  readonly isResumed: boolean
  /**
   * Resolves when the broker has acknowledged it; for QoS 0, when it is written. Never settles when the connection
   * ends before. @returns also the packet id; 0 for QoS 0
   */
  publish(message: LinkPublish): { readonly id: number; readonly done: Promise<void> }
  /** With QoS 1. @returns those that the broker refused. Rejects when the connection ends before */
  subscribe(filters: readonly string[]): Promise<readonly string[]>
  /** Rejects when the connection ends before. */
  unsubscribe(filters: readonly string[]): Promise<void>
  /** DISCONNECT: the broker does not publish the will. Resolves when the connection is closed. */
  end(cause: LinkFailure): Promise<void>
  /** Closes at once; the broker publishes the will. */
  break(failure: LinkFailure): void
  /** Resolves at the end, with its cause. */
  readonly ended: Promise<LinkFailure>
}

/** Connects once. Rejects with an `Error` whose `cause` is a `LinkFailure`. */
export async function openLink(options: LinkOptions): Promise<Link> {
  const { MqttClient } = await import('mqtt') // it costs memory that only those pay who are attached
  options.signal.throwIfAborted()
  let failure: LinkFailure | undefined
  const { signal } = options
  const socket = await brokerSocket(options.broker, options.authorities, { signal })
  const note = (why: LinkFailure): void => {
    failure ??= why
  }
  const fail = (why: LinkFailure): void => {
    note(why)
    socket.destroy()
  }
  guard(socket, fail)
  const onAbort = (): void => fail({ reason: 'stopped' })
  options.signal.addEventListener('abort', onAbort, { once: true })
  if (options.signal.aborted) onAbort()
  const client = new MqttClient(() => socket as never, clientOptions(options))
  // what comes in a new session before anything is subscribed is of an old one, whatever the broker says
  let isListening = false
  let heardAtMs = performance.now()
  client.on('packetreceive', (packet) => {
    heardAtMs = performance.now()
    if (packet.cmd === 'suback' || (packet.cmd === 'connack' && packet.sessionPresent)) isListening = true
  })
  client.on('message', (topic, payload, { qos, retain }) => {
    if (isListening || retain) options.onMessage({ topic, payload, qos, retain })
  })
  const silentMs = Math.min(options.keepAliveS * 1_000, connectTimeoutMs)
  client.on('error', (error) => {
    const isSilent = !('code' in error) && performance.now() - heardAtMs >= silentMs // only its words would say so
    fail(isSilent ? silent : failureOf(error))
  })
  const ended = new Promise<LinkFailure>((resolve) => {
    client.once('close', () => resolve(failure ?? closedByPeer))
  })
  try {
    const isResumed = await new Promise<boolean>((resolve, reject) => {
      client.once('connect', ({ sessionPresent }) => {
        if (failure === undefined) resolve(sessionPresent)
      })
      void ended.then(() => reject(new Error('not connected', { cause: failure ?? closedEarly })))
    })
    return linkOver(client, { isResumed, ended, note, fail, packetIds: options.packetIds })
  } finally {
    options.signal.removeEventListener('abort', onAbort)
  }
}

function clientOptions(options: LinkOptions): IClientOptions {
  const { credentials } = options.broker
  const { username, password } = credentials ?? {}
  return {
    protocolVersion: 4,
    clientId: options.clientId,
    clean: options.isClean,
    keepalive: options.keepAliveS,
    connectTimeout: connectTimeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    writeCache: false, // 65,536 buffers for numbers that we do not send
    timerVariant: 'native',
    messageIdProvider: options.packetIds,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: password.reveal() }),
    ...(options.will === undefined
      ? {}
      : { will: { ...options.will, payload: Buffer.from(options.will.payload), qos: 1, retain: true } }),
  }
}

function linkOver(
  client: MqttClient,
  parts: Pick<Link, 'isResumed' | 'ended'> & {
    readonly note: (why: LinkFailure) => void
    readonly fail: (why: LinkFailure) => void
    readonly packetIds: PacketIds
  },
): Link {
  const { isResumed, ended, note, fail, packetIds } = parts
  // MQTT.js keeps what is asked of a closed connection for the next one, which it never gets
  const tooLate = ended.then(({ reason }) => Promise.reject(new Error(reason)))
  tooLate.catch(() => {})
  return {
    isResumed,
    ended,
    publish({ topic, payload, qos, retain, againAs }) {
      const dup = againAs !== undefined // [MQTT-3.3.1-1]
      const done = new Promise<void>((resolve) => {
        const send = (): void =>
          void client.publish(topic, payload as Buffer, { qos, retain, dup }, (error) => {
            if (!error) resolve()
          })
        if (dup) packetIds.again(againAs, send)
        else send()
      })
      return { id: qos === 0 ? 0 : packetIds.getLastAllocated(), done }
    },
    async subscribe(filters) {
      const packets = Array.from({ length: Math.ceil(filters.length / filtersPerPacket) }, (_, index) =>
        subscribeTo(client, filters.slice(index * filtersPerPacket, (index + 1) * filtersPerPacket)),
      )
      return (await Promise.race([Promise.all(packets), tooLate])).flat()
    },
    async unsubscribe(filters) {
      await Promise.race([client.unsubscribeAsync([...filters]), tooLate])
    },
    async end(cause) {
      note(cause)
      const late = setTimeout(() => fail(silent), endTimeoutMs)
      client.end()
      await ended
      clearTimeout(late)
    },
    break: fail,
  }
}

/** One SUBSCRIBE. @returns the filters for which SUBACK says 0x80 [MQTT-3.9.3-2] */
function subscribeTo(client: MqttClient, filters: readonly string[]): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    client.subscribe([...filters], { qos: 1 }, (error, _, packet) => {
      const granted = packet?.granted
      if (granted === undefined) reject(error ?? new Error('no answer'))
      else resolve(filters.filter((_, index) => granted[index] === 0x80))
    })
  })
}

/** Ends a connection that does not begin with CONNACK, or on which a packet comes that we would not hold in memory. */
function guard(socket: Socket, fail: (why: LinkFailure) => void): void {
  const packets = new PacketGuard()
  let bytesSeen = 0
  socket.on('data', (chunk: Buffer) => {
    const isConnack = connackHeader.subarray(bytesSeen).every((byte, at) => (chunk[at] ?? byte) === byte)
    bytesSeen = Math.min(bytesSeen + chunk.length, connackHeader.length)
    if (!isConnack) {
      fail(notMqtt)
      return
    }
    const bytes = packets.inspect(chunk)
    if (bytes === undefined) return
    fail({
      reason: `it sent a packet of ${bytes} bytes, and we take ${limits.packetBytesMax} at the most`,
      remedy:
        'a message there is larger than Damselfly takes: remove it, if it is retained, or let rules not ask for it',
      isRefusal: true,
      limit: 'packetBytesMax',
    })
  })
}
