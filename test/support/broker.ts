import { connect as connectSocket, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import type { Access } from '#src/broker/access.js'
import { Broker } from '#src/broker/broker.js'
import { Counters } from '#src/core/counters.js'
import { type Listener, mainListener, type WayIn } from '#src/core/listener.js'
import { MemoryLog } from './memory-log.js'
import { tempFolder } from './temp-folder.js'

export interface BrokerWorld {
  readonly broker: Broker
  readonly log: MemoryLog
  readonly counters: Counters
  readonly port: number
  readonly dataDir: string
  connect(options?: IClientOptions): Promise<MqttClient>
  /** A plain TCP connection, for bytes that no client library would send. */
  raw(): Promise<Socket>
}

/** Plain MQTT at these addresses; port 0: the system chooses. */
export function plainWay(addresses: readonly string[], port: number, name: string = mainListener): WayIn {
  return { listener: listenerAt(port, { name }), addresses }
}

/** A listener on loopback; plain MQTT unless told. */
export function listenerAt(port: number, terms: Partial<Listener> = {}): Listener {
  return {
    name: mainListener,
    where: { kind: 'tcp', bind: [{ kind: 'loopback' }], port },
    webSocket: undefined,
    tls: undefined,
    allowAnonymous: 'local',
    credentials: undefined,
    users: [],
    acl: undefined,
    connectionsMax: undefined,
    ...terms,
  }
}

/** The port of a listener that is open. */
export function portOf(broker: Broker, listener: string = mainListener): number {
  return broker.open.find(({ name }) => name === listener)?.port as number
}

/** A broker of its own on loopback, on a port that the system chose; it goes with the test. */
export async function brokerWorld(
  context: TestContext,
  options: {
    access?: Access
    isLocal?: boolean
    dataDir?: string
    /** Beside the plain one, which is `main`. */
    ways?: readonly WayIn[]
  } = {},
): Promise<BrokerWorld> {
  const dataDir = options.dataDir ?? (await tempFolder(context))
  const log = new MemoryLog()
  const counters = new Counters()
  const broker = await Broker.open({
    dataDir,
    access: options.access ?? { allowAnonymous: 'local', credentials: undefined },
    isOwnAddress: () => options.isLocal ?? true,
    log,
    counters,
  })
  const clients: MqttClient[] = []
  const sockets: Socket[] = []
  context.after(async () => {
    for (const client of clients) client.end(true)
    for (const socket of sockets) socket.destroy()
    await broker.close()
  })
  await broker.listen([plainWay(['127.0.0.1'], 0), ...(options.ways ?? [])])
  const port = portOf(broker, mainListener)
  return {
    broker,
    log,
    counters,
    port,
    dataDir,
    async connect(overrides = {}) {
      const client = mqtt.connect({
        host: '127.0.0.1',
        port,
        protocolVersion: 4,
        reconnectPeriod: 0,
        ...overrides,
      })
      clients.push(client)
      client.on('error', () => {})
      await new Promise<void>((resolve, reject) => {
        client.once('connect', () => resolve())
        client.once('error', reject)
        client.once('close', () => reject(new Error('closed before CONNACK')))
      })
      return client
    },
    async raw() {
      const socket = connectSocket(port, '127.0.0.1')
      sockets.push(socket)
      socket.on('error', () => {})
      await new Promise<void>((resolve) => socket.once('connect', resolve))
      return socket
    },
  }
}

/** Resolves with all bytes that arrive until the peer closes. */
export function untilClosed(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  return new Promise((resolve) => {
    if (socket.closed) resolve(Buffer.alloc(0))
    else socket.once('close', () => resolve(Buffer.concat(chunks)))
  })
}

/** A CONNECT packet of MQTT 3.1.1 with this client id. */
export function connectPacket(clientId: string, protocolLevel = 4): Buffer {
  const id = Buffer.from(clientId)
  const body = Buffer.concat([
    Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54, protocolLevel, 2, 0, 60]),
    ...(protocolLevel === 5 ? [Buffer.from([0])] : []),
    Buffer.from([id.length >> 8, id.length & 0xff]),
    id,
  ])
  return Buffer.concat([Buffer.from([0x10, body.length]), body])
}
