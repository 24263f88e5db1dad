// QoS 1 into the session of a client that is away, kept on the disk before it is acknowledged.
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { percentile } from '../statistics.mjs'
import { batchOf } from './batch.mjs'
import { Client } from './client.mjs'
import { measureCost, startLoad } from './measure.mjs'
import { Pipe } from './pipe.mjs'
import { progress } from './progress.mjs'

const file = import.meta.filename
const inFlight = 200
const reading = '{"temperature":21.5,"humidity":47.25,"battery":2.97}'
const absent = 'bench-absent'

export const durable = [
  {
    name: 'durable',
    settings: {
      isDurable: true,
      env: { MAX_QUEUED_MESSAGES: 1_000_000, MAX_QUEUED_BYTES: 512 * 1_024 * 1_024 },
    },
    isOnDisk: true,
    facts: [
      { figure: 'syncMs', label: "the disk's fdatasync, median", unit: 'ms' },
      { figure: 'commitMs', label: 'PUBLISH to PUBACK, one message in flight, median', unit: 'ms' },
      {
        figure: 'perSecond',
        label: `QoS 1 for a client that is away, ${inFlight} in flight`,
        unit: '/s',
        min: (ours, theirs) => Math.min((0.8 * inFlight * 1_000) / ours.commitMs, theirs.perSecond),
      },
      { figure: 'cpuUs', label: 'CPU time of such a message', unit: 'µs' },
    ],
    params: (plan) => ({
      messages: { full: 60_000, quick: 20_000, smoke: 400 }[plan],
      single: plan === 'smoke' ? 10 : 300,
    }),
    measure,
  },
]

async function measure(broker, params, folder) {
  const syncMs = await diskSyncMs(folder, params.single)
  const load = await startLoad(broker, file, 'single', params)
  const { commitMs } = await load.run()
  await load.end()
  return { syncMs, commitMs, ...(await measureCost(broker, { file, driver: 'offline' }, params)) }
}

/** The median time of one message in flight; it gets packet id 1 each time. */
export async function single({ port }, { single: count }) {
  await leaveSession(port, 'single')
  const client = await Client.open(port, 'bench-publisher')
  const { bytes } = batchOf(['bench/single/reading'], 1, reading, { qos: 1 })
  return {
    run: async () => {
      const tookMs = []
      for (let index = 0; index < count; index++) {
        const begunMs = performance.now()
        client.socket.write(bytes)
        await client.answer(4)
        tookMs.push(performance.now() - begunMs)
      }
      return {
        commitMs: percentile(
          tookMs.sort((a, b) => a - b),
          50,
        ),
      }
    },
    close: () => client.close(),
  }
}

/** What was acknowledged is counted when the client comes back. */
export async function offline({ port }, { messages }) {
  await leaveSession(port, 'durable')
  const sender = await Client.open(port, 'bench-publisher')
  const batch = batchOf(['bench/durable/reading'], inFlight, reading, { qos: 1 })
  const pipe = new Pipe({
    publishers: [{ client: sender, batch, qos: 1 }],
    receivers: [],
    fan: 0,
    window: inFlight,
  })
  const warmUp = Math.ceil(messages / 4)
  return {
    warmUp: () => pipe.run(warmUp),
    run: async () => ({ units: (await pipe.run(messages)).sent }),
    counts: async () => ({
      expected: warmUp + messages,
      delivered: await kept(port, 'durable', warmUp + messages),
      unacknowledged: pipe.counts().unacknowledged,
    }),
    close: () => sender.close(),
  }
}

async function leaveSession(port, name) {
  const client = await Client.open(port, `${absent}-${name}`, { clean: false })
  await client.subscribe([`bench/${name}/#`], 1)
  client.close()
  await once(client.socket, 'close')
}

/** How much of what is kept comes when the client is back. */
async function kept(port, name, count) {
  const client = await Client.open(port, `${absent}-${name}`, { clean: false })
  const received = progress(() => client.received, count)
  client.onRead = received.look
  await received.done
  client.close()
  return client.received
}

/** Median of appending as much as `inFlight` messages are, and fdatasync. */
async function diskSyncMs(folder, count) {
  const handle = await open(join(folder, 'sync-probe'), 'w')
  const piece = Buffer.alloc(inFlight * 100)
  const tookMs = []
  try {
    for (let index = 0; index < count; index++) {
      const begunMs = performance.now()
      await handle.write(piece)
      await handle.datasync()
      tookMs.push(performance.now() - begunMs)
    }
  } finally {
    await handle.close()
  }
  return percentile(
    tookMs.sort((a, b) => a - b),
    50,
  )
}
