import type { TestContext } from 'node:test'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { Broker } from '#src/broker/broker.js'
import type { Bridge, BridgeState, BridgeTopic } from '#src/core/bridge.js'
import { Counters } from '#src/core/counters.js'
import { plainWay, portOf } from './broker.js'
import { MemoryLog } from './memory-log.js'
import { tempFolder } from './temp-folder.js'
import { until } from './until.js'

/** Everything as usual, only sooner. */
export const quickPace = { connectMs: 2_000, answerMs: 2_000, steadyMs: 2_000, firstMs: 100, stopMs: 1_000 }

/** A topic that goes both ways, with QoS 1, under its own name. */
export function shared(pattern: string, more: Partial<BridgeTopic> = {}): BridgeTopic {
  return { pattern, direction: 'both', qos: 1, localPrefix: '', remotePrefix: '', ...more }
}

/** A bridge to this port of loopback. */
export function bridgeTo(port: number, more: Partial<Bridge> = {}): Bridge {
  return {
    name: 'test',
    addresses: [{ url: `mqtt://127.0.0.1:${port}`, host: '127.0.0.1', port, isSecure: false }],
    isRoundRobin: false,
    clientId: 'house-test',
    version: 5,
    credentials: undefined,
    isCleanSession: false,
    isLocalCleanSession: false,
    keepAliveSeconds: 60,
    topics: [shared('#')],
    notifications: undefined,
    start: { kind: 'automatic' },
    retry: { minMs: 50, maxMs: 200 },
    tls: undefined,
    packetBytesMax: undefined,
    mayUnsubscribe: true,
    mayRetain: true,
    isQos0Kept: false,
    isTold: true,
    bindAddress: undefined,
    ...more,
  }
}

export interface BridgedBroker {
  readonly broker: Broker
  readonly log: MemoryLog
  readonly counters: Counters
  readonly port: number
  readonly dataDir: string
  /** Waits until the bridge is connected. */
  linked(name?: string): Promise<void>
  state(name?: string): BridgeState | undefined
  logged(message: string, count?: number): Promise<void>
}

/** A broker of its own on loopback with these bridges; it goes with the test. */
export async function bridgedBroker(
  context: TestContext,
  bridges: readonly Bridge[],
  options: { readonly dataDir?: string; readonly port?: number } = {},
): Promise<BridgedBroker> {
  const dataDir = options.dataDir ?? (await tempFolder(context))
  const log = new MemoryLog()
  const counters = new Counters()
  const broker = await Broker.open({
    dataDir,
    access: { allowAnonymous: 'local', credentials: undefined },
    isOwnAddress: () => true,
    log,
    counters,
    bridgePace: quickPace,
  })
  context.after(() => broker.close())
  await broker.listen([plainWay(['127.0.0.1'], options.port ?? 0)])
  await broker.setBridges(bridges)
  const state = (name = 'test') => broker.bridges.find((bridge) => bridge.name === name)
  return {
    broker,
    log,
    counters,
    port: portOf(broker),
    dataDir,
    state,
    linked: (name) =>
      until(`the bridge is connected: ${JSON.stringify(log.lines)}`, () => state(name)?.isConnected === true),
    logged: (message, count = 1) =>
      until(
        `${count} × "${message}" in ${JSON.stringify(log.lines)}`,
        () => log.having(message).length >= count,
      ),
  }
}

export interface Hearer {
  readonly client: MqttClient
  /** As `topic payload`, with a `*` behind what came with RETAIN. */
  readonly heard: string[]
}

/** A client that hears what matches, with QoS 2 and RETAIN as it was published; it goes with the test. */
export async function hearer(
  context: TestContext,
  port: number,
  filter = '#',
  options: IClientOptions = {},
): Promise<Hearer> {
  const client = await mqtt.connectAsync({
    host: '127.0.0.1',
    port,
    protocolVersion: 5,
    reconnectPeriod: 0,
    ...options,
  })
  client.on('error', () => {})
  context.after(() => client.end(true))
  const heard: string[] = []
  client.on('message', (topic, payload, { retain }) => {
    heard.push(`${topic} ${payload}${retain ? ' *' : ''}`)
  })
  await client.subscribeAsync(filter, { qos: 2, rap: true })
  return { client, heard }
}

/** Waits until so many were heard, and a little longer, so that one too many is seen. */
export async function heardAll(heard: readonly string[], count: number, quietMs = 150): Promise<void> {
  await until(
    `${count} messages; ${heard.length} came: ${heard.slice(-20).join(', ')}`,
    () => heard.length >= count,
  )
  await new Promise((resolve) => setTimeout(resolve, quietMs))
}
