import { setTimeout as sleep } from 'node:timers/promises'
import { Client, type StateListener } from '../client/client.ts'
import { DamselflyError } from '../core/errors.ts'
import { setLimits } from '../core/limits.ts'
import { topicProblem } from '../core/topics.ts'
import { type Bodies, bodiesOf } from './message-source.ts'
import type { MqttArguments } from './mqtt-arguments.ts'
import { answerMs, brokerOf, qosOf, type Target } from './mqtt-options.ts'

/** So much of standard input may be on its way before the broker's answer is awaited. */
const linesMax = 1_000
const lineBytesMax = 1024 * 1024

/**
 * Publishes what the options say, and resolves when the broker has it (QoS 0: when it is written).
 * @throws DamselflyError `USAGE`, `BROKER_UNREACHABLE`, `CONNECTION_REFUSED`, `TIMED_OUT`, `VALUE_INVALID`
 */
export async function pub(given: MqttArguments): Promise<void> {
  const target = await brokerOf(given)
  const topic = topicOf(given, target)
  const how = { qos: qosOf(given), retain: given.has('-r') }
  const repeat = repetitionOf(given)
  const inflight = given.wholeNumber('-M', 1, 65_535)
  if (inflight !== undefined) setLimits({ clientInflightMax: inflight })
  const onState: StateListener = (state, reason) => {
    if (state === 'reconnecting') console.error(`damselfly: ${reason?.message}; trying again`)
  }
  const bodies = repeat(await bodiesOf(given))
  const client = await Client.open({ ...target, onState }, answerMs)
  let last = Promise.resolve()
  try {
    let lines = 0
    let bytes = 0
    for await (const body of bodies) {
      lines++
      bytes += body.length
      if (lines > linesMax || bytes > lineBytesMax) {
        await last // they are sent in order
        lines = 1
        bytes = body.length
      }
      last = client.send(topic, body, how)
      last.catch(() => {}) // it is awaited later
    }
  } finally {
    await Promise.all([last, client.close({ timeout: answerMs })])
  }
}

/**
 * The topic to publish to, from `-t` or from `-L`.
 * @throws DamselflyError `USAGE`
 */
export function topicOf(given: MqttArguments, target: Target): string {
  const topic = given.last('-t') ?? target.topic
  if (topic === undefined) throw new DamselflyError('USAGE', '-t TOPIC is missing: where to?')
  const problem = topicProblem(topic)
  if (problem !== undefined) throw new DamselflyError('USAGE', `-t "${topic}" is not a topic: ${problem}`)
  return topic
}

/**
 * Sends all of it `--repeat` times, with `--repeat-delay` in between; lines of standard input come once.
 * @throws DamselflyError `USAGE`
 */
function repetitionOf(given: MqttArguments): (bodies: Bodies) => Bodies {
  const times = given.wholeNumber('--repeat', 1, 2_147_483_647) ?? 1
  const delayText = given.last('--repeat-delay') ?? '0'
  const delayMs = Number(delayText) * 1_000
  if (!/^(\d+(\.\d*)?|\.\d+)$/.test(delayText) || delayMs > 2_147_483_647)
    throw new DamselflyError('USAGE', `--repeat-delay is a number of seconds, not "${delayText}"`)
  if (times > 1 && given.has('-l')) throw new DamselflyError('USAGE', '--repeat does not go with -l')
  if (times === 1) return (bodies) => bodies
  return async function* (bodies) {
    for (let count = 0; count < times; count++) {
      if (count > 0 && delayMs > 0) await sleep(delayMs)
      yield* bodies
    }
  }
}
