import type { TestContext } from 'node:test'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import {
  AttachedBroker,
  type AttachedBrokerOptions,
  type LinkPace,
} from '#src/broker/attached/attached-broker.js'
import { Counters } from '#src/core/counters.js'
import type { Message } from '#src/core/message.js'
import type { RemoteBroker } from '#src/core/remote-broker.js'
import { MemoryLog } from './memory-log.js'
import { until } from './until.js'

/** Everything as usual, only sooner. */
export const quickPace: LinkPace = {
  keepAliveS: 2,
  retryMsMin: 50,
  retryMsMax: 200,
  refusedMs: 300,
  startMs: 2_000,
  stopMs: 1_000,
  answerMs: 2_000,
  shortMs: 60_000,
  steadyMs: 10_000,
}

export interface AttachedWorld {
  readonly door: AttachedBroker
  readonly log: MemoryLog
  readonly counters: Counters
  /** Waits for a log line with this message; `count` of them when told. */
  logged(message: string, count?: number): Promise<void>
  /** Subscribes, and keeps what comes as `topic payload`. */
  listen(filters: string | readonly string[]): { readonly texts: string[]; readonly messages: Message[] }
}

/** A door to the broker on this port of loopback, not open yet; it goes with the test. */
export function attachedWorld(
  context: TestContext,
  port: number,
  options: Partial<AttachedBrokerOptions> = {},
): AttachedWorld {
  const log = new MemoryLog()
  const counters = new Counters()
  const { name = 'test' } = options
  const door = new AttachedBroker({
    broker: brokerAt(port),
    name,
    log,
    counters,
    will: { topic: `damselfly/${name}/status`, payload: 'offline' },
    onChange: () => {},
    pace: quickPace,
    ...options,
  })
  context.after(() => door.close())
  return {
    door,
    log,
    counters,
    logged: (message, count = 1) =>
      until(
        `${count} × "${message}" in ${JSON.stringify(log.lines)}`,
        () => log.having(message).length >= count,
      ),
    listen(filters) {
      const texts: string[] = []
      const messages: Message[] = []
      door.hub.subscribe(filters, (message) => {
        texts.push(`${message.topic} ${Buffer.from(message.payload).toString()}`)
        messages.push(message)
      })
      return { texts, messages }
    },
  }
}

export function brokerAt(port: number, more: Partial<RemoteBroker> = {}): RemoteBroker {
  return {
    url: `mqtt://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    isSecure: false,
    credentials: undefined,
    ...more,
  }
}

/** An ordinary client on loopback, which goes with the test. */
export async function plainClient(
  context: TestContext,
  port: number,
  options: IClientOptions = {},
): Promise<MqttClient> {
  const client = await mqtt.connectAsync({
    host: '127.0.0.1',
    port,
    protocolVersion: 4,
    reconnectPeriod: 0,
    ...options,
  })
  client.on('error', () => {})
  context.after(() => client.end(true))
  return client
}

/** Everything that a client gets, as `topic payload`, with a `*` behind what was retained. */
export async function heardBy(client: MqttClient, filter: string): Promise<string[]> {
  const heard: string[] = []
  client.on('message', (topic, payload, { retain }) => {
    heard.push(`${topic} ${payload}${retain ? ' *' : ''}`)
  })
  await client.subscribeAsync(filter, { qos: 1 })
  return heard
}
