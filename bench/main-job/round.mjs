// One round: both systems started anew, and every measurement once on each, one right after the other, so that a
// busy moment of the machine meets both. Who is first changes with the round.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { memoryMb } from '../process-cost.mjs'
import { startDamselflyWithRule } from './damselfly-rule.mjs'
import { idleCpuUs, measureHandler } from './measure.mjs'
import { startMosquittoAndPaho } from './mosquitto-paho.mjs'

const starts = { damselfly: startDamselflyWithRule, mosquitto: startMosquittoAndPaho }

/**
 * @param folder an empty one
 * @returns values by system and metric (`table.mjs` knows the metrics), what was lost, and the windows' noise
 */
export async function runRound(plan, number, folder) {
  const round = { values: { damselfly: {}, mosquitto: {} }, lost: [], windows: [] }
  const names = number % 2 === 0 ? ['damselfly', 'mosquitto'] : ['mosquitto', 'damselfly']
  const systems = []
  try {
    for (const name of names) {
      await mkdir(join(folder, name), { recursive: true })
      systems.push(await starts[name](join(folder, name)))
    }
    for (const system of systems) {
      round.values[system.name]['start/connack'] = system.startMs.connack
      round.values[system.name]['start/handling'] = system.startMs.handling
    }
    await warmUp(plan, systems, folder)
    await sleep(plan.settleSeconds * 1_000)
    await Promise.all(systems.map((system) => doingNothing(plan, system, round)))
    for (const step of plan.handler)
      for (const qos of plan.qos)
        for (const system of systems)
          note(round, system, `${step.rate}/q${qos}`, await measureHandler(system, { ...step, qos }, folder))
    for (const system of systems) {
      round.values[system.name]['memory/after'] = (await memoryMb(system.pids)).rss
      if (plan.capacity !== undefined)
        round.values[system.name].capacity = await capacity(system, plan.capacity, folder)
    }
  } finally {
    for (const system of systems) await system.stop()
  }
  return round
}

// a daemon runs for months: neither side is to be judged by its first thousand messages
async function warmUp({ warmUpSeconds, qos }, systems, folder) {
  if (warmUpSeconds === 0) return
  const seconds = warmUpSeconds / qos.length
  for (const level of qos)
    for (const system of systems) await measureHandler(system, { rate: 5_000, seconds, qos: level }, folder)
}

async function doingNothing({ idleSeconds }, system, { values }) {
  const cpuUs = await idleCpuUs(system, idleSeconds)
  const { rss, pss } = await memoryMb(system.pids)
  const broker = (await memoryMb(system.brokerPids)).rss
  const memory = { 'memory/rss': rss, 'memory/pss': pss, 'memory/broker': broker }
  Object.assign(values[system.name], { ...memory, 'cpu/idle': cpuUs })
}

function note(round, system, key, { cpuUs, p50Ms, p99Ms, lost, unacknowledged, others, steal }) {
  const values = round.values[system.name]
  values[`cpu/${key}`] = cpuUs
  values[`p50/${key}`] = p50Ms
  values[`p99/${key}`] = p99Ms
  if (lost > 0 || unacknowledged > 0) round.lost.push({ system: system.name, key, lost, unacknowledged })
  round.windows.push({ others, steal })
}

/** The highest of the rates at which nothing is lost and the delay stays small. */
async function capacity(system, { rates, seconds, p99MsMax }, folder) {
  let reached = 0
  for (const rate of rates) {
    const { lost, p99Ms } = await measureHandler(system, { rate, seconds, qos: 0 }, folder)
    if (lost > 0 || p99Ms > p99MsMax) break
    reached = rate
  }
  return reached
}
