// Readers that do not read, beside ten that do: what the ten lose, at half of what the broker can do.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { setInterval as every } from 'node:timers'
import { connectPacket, subscribePacket } from '../mqtt-wire.mjs'
import { paced } from '../pace.mjs'
import { memoryMb } from '../process-cost.mjs'
import { percentile } from '../statistics.mjs'
import { batchOf } from './batch.mjs'
import { Client } from './client.mjs'
import { startLoad } from './measure.mjs'
import { Pipe } from './pipe.mjs'
import { progress } from './progress.mjs'

const file = import.meta.filename
const readers = 10
const topic = 'bench/readers/reading'
/** MEMORY_LIMIT, unless one sets it. */
const memoryLimitMb = (128 * 1_024 * 1_024) / 1e6
const slowIds = ['bench-never-reads', 'bench-byte-a-second']
/** The payload begins with the message's number, so that its delay can be told. */
const payload = `00000000{"temperature":21.5,"humidity":47.25,"battery":2.97}`

export const slowReaders = [0, 1].map((qos) => ({
  name: `slow-readers-q${qos}`,
  settings: { isQueueBounded: true, env: { LOG_LEVEL: 'warn' } },
  facts: [
    {
      figure: 'rate',
      label: `QoS ${qos}: half of the most that ten readers get`,
      unit: '/s',
    },
    { figure: 'lossPercent', label: `QoS ${qos}: what ten lose by two that stall`, unit: '%', max: 5 },
    { figure: 'p99BeforeMs', label: `QoS ${qos}: p99 of the ten without them`, unit: 'ms' },
    { figure: 'p99Ms', label: `QoS ${qos}: p99 of the ten beside them`, unit: 'ms', max: 20 },
    { figure: 'lateMs', label: `QoS ${qos}: by how much the load itself was late, at worst`, unit: 'ms' },
    { figure: 'peakMb', label: `QoS ${qos}: peak of the resident memory beside them`, unit: 'MB' },
    {
      figure: 'growthMb',
      label: `QoS ${qos}: what it is above that without them`,
      unit: 'MB',
      max: memoryLimitMb,
    },
    {
      figure: 'named',
      label: `QoS ${qos}: of the two, named in the log`,
      unit: '',
      min: () => 2,
    },
  ],
  params: (plan) => ({
    qos,
    saturating: { full: 150_000, quick: 40_000, smoke: 500 }[plan],
    seconds: { full: 10, quick: 3, smoke: 0.1 }[plan],
  }),
  measure,
}))

async function measure(broker, params) {
  const load = await startLoad(broker, file, 'beside', params)
  const figures = await load.run()
  const { lost } = await load.end()
  const log = broker.log === undefined ? '' : await readFile(broker.log, 'utf8')
  return { ...figures, lost, named: slowIds.filter((id) => log.includes(id)).length }
}

export async function beside({ port, pid }, { qos, saturating, seconds }) {
  const receivers = []
  for (let index = 0; index < readers; index++) {
    const receiver = await Client.open(port, `bench-reader-${index}`)
    await receiver.subscribe([topic], qos)
    receivers.push(receiver)
  }
  const client = await Client.open(port, 'bench-publisher')
  const batch = batchOf([topic], 16_384, payload, { qos })
  const pipe = new Pipe({ publishers: [{ client, batch, qos }], receivers, fan: readers, airMax: 2_048 })
  await pipe.run(Math.ceil(saturating / 3))
  const begunMs = performance.now()
  const { sent } = await pipe.run(saturating)
  const rate = Math.floor((sent * 500) / (performance.now() - begunMs))
  client.onRead = undefined
  let lost = 0
  const measured = async () => {
    const outcome = await pace({ client, batch, receivers, rate, count: Math.ceil(rate * seconds) })
    lost += outcome.expected - outcome.delivered
    return outcome
  }
  return {
    run: async () => {
      const before = await measured()
      const memory = await peakOf(pid)
      const stalled = await Promise.all(slowIds.map((id) => slowReader(port, id, qos)))
      const after = await measured()
      const figures = {
        rate,
        lossPercent: Math.max(0, 100 * (1 - after.perSecond / before.perSecond)),
        p99BeforeMs: before.p99Ms,
        p99Ms: after.p99Ms,
        lateMs: after.lateMs,
        ...(await memory.stop()),
      }
      for (const socket of stalled) socket.destroy()
      return figures
    },
    counts: () => ({ lost }),
    close: () => {
      for (const one of [client, ...receivers]) one.close()
    },
  }
}

/** Sends so many at this rate. @returns what the receivers got of it, how fast, and the delay */
async function pace({ client, batch, receivers, rate, count }) {
  const { bytes, size } = batch
  const numberAt = size - payload.length
  const sentMs = new Float64Array(batch.count)
  const delaysMs = []
  const total = () => receivers.reduce((sum, one) => sum + one.received, 0)
  const before = total()
  const received = progress(() => total() - before, count * readers)
  let lastMs = 0
  for (const receiver of receivers) {
    receiver.onMessage = (read, at) => {
      const number = read.readUInt32LE(at)
      if (number % 16 === 0) delaysMs.push(performance.now() - sentMs[number])
    }
    receiver.onRead = () => {
      lastMs = performance.now()
      received.look()
    }
  }
  const begunMs = performance.now()
  const { lateMs } = await paced(rate, count, (from, to) => {
    const nowMs = performance.now()
    for (let index = from; index < to; ) {
      const first = index % batch.count
      const last = Math.min(batch.count, first + to - index)
      for (let slot = first; slot < last; slot++) {
        bytes.writeUInt32LE(slot, slot * size + numberAt)
        sentMs[slot] = nowMs
      }
      client.socket.write(bytes.subarray(first * size, last * size))
      index += last - first
    }
  })
  await received.done
  const delivered = total() - before
  for (const receiver of receivers) receiver.onMessage = undefined
  return {
    expected: count * readers,
    delivered,
    perSecond: (delivered * 1_000) / (lastMs - begunMs),
    lateMs,
    p99Ms: percentile(Float64Array.from(delaysMs).sort(), 99),
  }
}

/** Subscribes, and then reads nothing, or a byte a second. */
async function slowReader(port, clientId, qos) {
  const socket = createConnection({
    port,
    host: '127.0.0.1',
    onread: { buffer: Buffer.alloc(1), callback: () => false },
  })
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write(Buffer.concat([connectPacket(clientId), subscribePacket([topic], qos)]))
  if (clientId === 'bench-byte-a-second') every(() => socket.resume(), 1_000).unref()
  return socket
}

/** Looks five times a second from now on. @returns a way to `stop` and hear the peak, and how far it is above now */
async function peakOf(pid) {
  const nowMb = async () => (await memoryMb([pid])).rss
  const firstMb = await nowMb()
  let peakMb = firstMb
  const look = async () => {
    peakMb = Math.max(peakMb, await nowMb())
  }
  const timer = every(look, 200)
  return {
    stop: async () => {
      clearInterval(timer)
      await look()
      return { peakMb, growthMb: peakMb - firstMb }
    },
  }
}
