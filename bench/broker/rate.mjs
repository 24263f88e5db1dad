// Forwarding at an even pace, most of the time asleep: what each message costs that comes alone.
import { paced } from '../pace.mjs'
import { batchOf } from './batch.mjs'
import { Client } from './client.mjs'
import { progress } from './progress.mjs'

const seconds = { full: 5, quick: 2, smoke: 0.1 }

export const rates = [1_000, 10_000].map((rate) => ({
  name: `rate-${rate}`,
  title: `${rate.toLocaleString('en')} messages/s, 1 publisher → 1 subscriber, QoS 0`,
  file: import.meta.filename,
  driver: 'forward',
  settings: {},
  isPaced: true,
  params: (plan) => ({ rate, messages: rate * seconds[plan] }),
}))

export async function forward({ port }, { rate, messages }) {
  const receiver = await Client.open(port, 'bench-subscriber')
  await receiver.subscribe(['bench/rate/#'], 0)
  const sender = await Client.open(port, 'bench-publisher')
  const { bytes, size } = batchOf(['bench/rate/reading'], messages, '{"temperature":21.5,"humidity":47.25}')
  let expected = 0
  const run = async (count) => {
    expected += count
    const received = progress(() => receiver.received, expected)
    receiver.onRead = received.look
    await paced(rate, count, (from, to) => sender.socket.write(bytes.subarray(from * size, to * size)))
    await received.done
  }
  return {
    warmUp: () => run(Math.ceil(messages / 2)),
    run: async () => {
      const before = receiver.received
      await run(messages)
      return { units: receiver.received - before }
    },
    counts: () => ({ expected, delivered: receiver.received }),
    close: () => {
      sender.close()
      receiver.close()
    },
  }
}
