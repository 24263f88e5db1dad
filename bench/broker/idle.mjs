// Memory of a broker that has nothing to do: itself, and with connections that say nothing.
import { setTimeout as sleep } from 'node:timers/promises'
import { idleMemory } from '../idle-memory.mjs'
import { memoryMb } from '../process-cost.mjs'
import { Client } from './client.mjs'
import { startLoad } from './measure.mjs'

const file = import.meta.filename
const atOnce = 100

export const idle = [
  {
    name: 'idle',
    settings: {},
    pairs: 2,
    facts: [
      { figure: 'aboveEmptyMb', label: 'idle memory above an empty Node process', unit: 'MB', max: 30 },
      { figure: 'idleMb', label: 'idle memory without connections', unit: 'MB' },
      { figure: 'fewKb', label: 'memory of an idle connection, at 1,000', unit: 'kB', max: 10 },
      { figure: 'manyKb', label: 'memory of an idle connection, at 10,000', unit: 'kB', max: 10 },
    ],
    params: (plan) => ({
      steps: plan === 'smoke' ? [20, 100] : [1_000, 10_000],
      settleMs: { full: 12_000, quick: 5_000, smoke: 50 }[plan],
      emptySeconds: { full: 20, quick: 5, smoke: 0.5 }[plan],
    }),
    measure,
  },
]

async function measure(broker, { steps, settleMs, emptySeconds }) {
  const figures = {}
  if (broker.isDamselfly) figures.aboveEmptyMb = (await idleMemory(emptySeconds)).moreMb
  await sleep(settleMs)
  const { rss: idleMb } = await memoryMb([broker.pid])
  figures.idleMb = idleMb
  const perConnectionKb = []
  let held = 0
  const crowds = []
  for (const count of steps) {
    const crowd = await startLoad(broker, file, 'crowd', { count: count - held, from: held })
    crowds.push(crowd)
    held = count
    await sleep(settleMs)
    perConnectionKb.push((((await memoryMb([broker.pid])).rss - idleMb) * 1e3) / count)
  }
  const [fewKb, manyKb] = perConnectionKb
  let ended = 0
  for (const crowd of crowds) {
    await crowd.run()
    ended += (await crowd.end()).ended
  }
  return { ...figures, fewKb, manyKb, lost: ended }
}

/** Connections that are held until the end. */
export async function crowd({ port }, { count, from = 0 }) {
  const clients = []
  let next = 0
  const lane = async () => {
    while (next < count) clients.push(await Client.open(port, `bench-idle-${from + next++}`))
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  return {
    run: () => ({}),
    counts: () => ({ ended: clients.filter(({ isEnded }) => isEnded).length }),
    close: () => {
      for (const client of clients) client.close()
    },
  }
}
