// 100,000 retained messages: stored, and loaded by one subscription.
import { batchOf } from './batch.mjs'
import { Client, pinged } from './client.mjs'
import { progress } from './progress.mjs'

const publishers = 4
const topics = { full: 100_000, quick: 100_000, smoke: 400 }

const common = { file: import.meta.filename, settings: {}, params: (plan) => ({ count: topics[plan] }) }

export const retained = [
  {
    ...common,
    name: 'retained-store',
    title: 'storing 100,000 retained messages',
    driver: 'store',
    target: 0.8,
  },
  {
    ...common,
    name: 'retained-load',
    title: 'loading them with one subscription',
    driver: 'load',
    target: 1.5,
  },
]

/** What is stored is counted afterwards, by reading it. A fifth of it, on topics of its own, goes first, unmeasured. */
export async function store({ port }, { count }) {
  const clients = await connected(port)
  const [warm, measured] = [batches('warm', count / 5), batches('state', count)]
  return {
    warmUp: () => storeAll(clients, warm),
    run: async () => {
      await storeAll(clients, measured)
      return { units: count }
    },
    counts: async () => ({ expected: count, delivered: await loadAll(port, 'state/#', count) }),
    close: () => closeAll(clients),
  }
}

/** Others, as many as a fifth, are read thrice before, unmeasured; the ones that count are read for the first time. */
export async function load({ port }, { count }) {
  const clients = await connected(port)
  await storeAll(clients, batches('warm', count / 5))
  await storeAll(clients, batches('state', count))
  closeAll(clients)
  let delivered = 0
  return {
    warmUp: async () => {
      for (let time = 0; time < 3; time++) await loadAll(port, 'warm/#', count / 5)
    },
    run: async () => {
      delivered = await loadAll(port, 'state/#', count)
      return { units: delivered }
    },
    counts: () => ({ expected: count, delivered }),
  }
}

function connected(port) {
  return Promise.all(
    Array.from({ length: publishers }, (_, index) => Client.open(port, `bench-publisher-${index}`)),
  )
}

/** One a publisher. */
function batches(prefix, count) {
  const each = count / publishers
  return Array.from({ length: publishers }, (_, publisher) => {
    const names = Array.from({ length: each }, (_, index) => {
      const number = `${publisher * each + index}`.padStart(6, '0')
      return `${prefix}/${number.slice(0, 3)}/${number.slice(3)}/level`
    })
    return batchOf(names, each, '{"level":47.25,"unit":"percent"}', { retain: true })
  })
}

async function storeAll(clients, messages) {
  await Promise.all(
    clients.map(async (client, index) => {
      client.socket.write(messages[index].bytes)
      await pinged(client)
    }),
  )
}

async function loadAll(port, filter, count) {
  const client = await Client.open(port, 'bench-reader')
  const received = progress(() => client.received, count)
  client.onRead = received.look
  await client.subscribe([filter], 0)
  await received.done
  client.close()
  return client.received
}

function closeAll(clients) {
  for (const client of clients) client.close()
}
