import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { Access } from '#src/broker/access.js'
import { Broker } from '#src/broker/broker.js'
import type { Client } from '#src/client/client.js'
import { type ConnectOptions, connect } from '#src/client/connect.js'
import { Counters } from '#src/core/counters.js'
import { Secret } from '#src/core/secret.js'
import { plainWay, portOf } from './broker.js'
import { MemoryLog } from './memory-log.js'
import { tempFolder } from './temp-folder.js'

/** A broker on loopback that can be stopped and started again on its port. */
export interface StoppableBroker {
  readonly port: number
  readonly log: MemoryLog
  stop(): Promise<void>
  start(access?: Access): Promise<void>
}

export async function stoppableBroker(context: TestContext, access: Access = open): Promise<StoppableBroker> {
  const dataDir = await tempFolder(context)
  const log = new MemoryLog()
  let broker: Broker | undefined
  const start = async (port: number, access: Access) => {
    broker = await Broker.open({ dataDir, access, isOwnAddress: () => true, log, counters: new Counters() })
    await broker.listen([plainWay(['127.0.0.1'], port)])
    return portOf(broker)
  }
  const stop = async () => {
    await broker?.close()
    broker = undefined
  }
  context.after(stop)
  const port = await start(0, access)
  return {
    port,
    log,
    stop,
    start: async (again = access) => {
      await start(port, again)
    },
  }
}

const open: Access = { allowAnonymous: 'local', credentials: undefined }

/** Only this name and this password get in. */
export function onlyAs(username: string, password: string): Access {
  return { allowAnonymous: 'nobody', credentials: { username, password: new Secret(password) } }
}

/** A client that goes with the test. */
export async function clientOf(
  context: TestContext,
  port: number,
  options: ConnectOptions = {},
): Promise<Client> {
  const client = await connect(`127.0.0.1:${port}`, options)
  context.after(() => client.close({ timeout: 0 }).catch(() => {}))
  return client
}

/** The code with which something is refused; fails when it is not. */
export async function codeOf(attempt: () => unknown): Promise<string> {
  try {
    await attempt()
  } catch (error) {
    return (error as { code: string }).code
  }
  throw new Error('it was not refused')
}

/** A server of one's own making; it goes with the test. */
export async function rawServer(
  context: TestContext,
  onSocket: (socket: Socket) => void,
): Promise<{ readonly port: number; readonly connections: () => number }> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    onSocket(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  })
  return { port: (server.address() as AddressInfo).port, connections: () => sockets.length }
}

/** Answers to packets by their type (MQTT 3.1.1, table 2.1); packets that none is given for stay unanswered. */
export type Answers = Readonly<Record<number, (packet: Buffer, socket: Socket) => Buffer | undefined>>

/** CONNACK for everybody, and an end at DISCONNECT. */
export const politeAnswers: Answers = {
  1: () => Buffer.from([0x20, 2, 0, 0]),
  14: (_packet, socket) => void socket.end(),
}

/** Speaks just enough MQTT for packets of up to 127 bytes. */
export function answering(answers: Answers): (socket: Socket) => void {
  return (socket) => {
    let unread = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      unread = Buffer.concat([unread, chunk])
      while (!socket.destroyed && unread.length >= 2 && unread.length >= 2 + (unread[1] as number)) {
        const packet = unread.subarray(0, 2 + (unread[1] as number))
        unread = unread.subarray(packet.length)
        const answer = answers[(packet[0] as number) >> 4]?.(packet, socket)
        if (answer !== undefined) socket.write(answer)
      }
    })
  }
}
