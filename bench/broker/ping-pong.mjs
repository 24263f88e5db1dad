// A client that sends itself one message at a time, beside one that sends all it can.
import { setTimeout as sleep } from 'node:timers/promises'
import { percentile } from '../statistics.mjs'
import { batchOf } from './batch.mjs'
import { Client } from './client.mjs'
import { startLoad } from './measure.mjs'
import { Pipe } from './pipe.mjs'

const file = import.meta.filename

export const pingPongs = [
  {
    name: 'ping-pong',
    settings: {},
    facts: [
      { figure: 'aloneMs', label: 'a message there and back, alone, median', unit: 'ms' },
      {
        figure: 'p50Ms',
        label: 'a message there and back, beside a client that floods, median',
        unit: 'ms',
        max: 5,
      },
      { figure: 'p99Ms', label: 'the same, 99th percentile', unit: 'ms' },
    ],
    params: (plan) => ({ seconds: { full: 4, quick: 2, smoke: 0.2 }[plan] }),
    measure,
  },
]

async function measure(broker, params) {
  const alone = await pinged(broker, params)
  const flood = await startLoad(broker, file, 'flood', { seconds: params.seconds + 1 })
  const flooding = flood.run()
  await sleep(200)
  const beside = await pinged(broker, params)
  await flooding
  const { expected, delivered } = await flood.end()
  return { aloneMs: alone.p50Ms, p50Ms: beside.p50Ms, p99Ms: beside.p99Ms, lost: expected - delivered }
}

async function pinged(broker, params) {
  const load = await startLoad(broker, file, 'pingPong', params)
  const figures = await load.run()
  await load.end()
  return figures
}

/** One message after the other for so many seconds. */
export async function pingPong({ port }, { seconds }) {
  const client = await Client.open(port, 'bench-ping-pong')
  const topic = 'bench/ping-pong'
  await client.subscribe([topic], 0)
  const { bytes } = batchOf([topic], 1, '{"t":1}')
  return {
    run: async () => {
      const tookMs = []
      const untilMs = performance.now() + seconds * 1_000
      while (performance.now() < untilMs) {
        const begunMs = performance.now()
        client.socket.write(bytes)
        await client.answer(3)
        tookMs.push(performance.now() - begunMs)
      }
      const sorted = tookMs.sort((a, b) => a - b)
      return { p50Ms: percentile(sorted, 50), p99Ms: percentile(sorted, 99), count: sorted.length }
    },
    close: () => client.close(),
  }
}

/** One publisher and one subscriber, as fast as they go, for so many seconds. */
export async function flood({ port }, { seconds }) {
  const receiver = await Client.open(port, 'bench-flood-reader')
  await receiver.subscribe(['bench/flood'], 0)
  const client = await Client.open(port, 'bench-flood')
  const batch = batchOf(['bench/flood'], 16_384, '{"temperature":21.5,"humidity":47.25,"battery":2.97}')
  const pipe = new Pipe({ publishers: [{ client, batch, qos: 0 }], receivers: [receiver] })
  const total = { expected: 0, delivered: 0 }
  return {
    run: async () => {
      const untilMs = performance.now() + seconds * 1_000
      while (performance.now() < untilMs) {
        const { expected, delivered } = await pipe.run(10_000)
        total.expected += expected
        total.delivered += delivered
      }
    },
    counts: () => total,
    close: () => {
      client.close()
      receiver.close()
    },
  }
}
