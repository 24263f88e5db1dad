import type { TopicReport } from '../control/protocol.ts'
import { DamselflyError } from '../core/errors.ts'
import { filterProblem } from '../core/topics.ts'
import { ask } from './ask.ts'
import { Screen } from './screen.ts'
import { paintFor, plainJson, untilInterrupted } from './terminal.ts'
import { topicTree } from './topic-tree.ts'

const secondsMax = 3_600
/** What came in the last second is told at its end. */
const lateMs = 300

export interface TopicsOptions {
  readonly once?: boolean
  readonly json?: boolean
  readonly seconds?: string
}

/**
 * Shows topics as a tree, with how many messages come, the last one and who sent it: on a terminal until Ctrl-C; with
 * `once`, as JSON, and where there is no terminal what was seen in some seconds, two unless told.
 * @throws DamselflyError `USAGE`, `DAEMON_UNREACHABLE`, also when the daemon stops meanwhile; `CONNECTION_REFUSED`
 */
export async function topics(filter: string | undefined, options: TopicsOptions): Promise<void> {
  const problem = filter === undefined ? undefined : filterProblem(filter)
  if (problem !== undefined)
    throw new DamselflyError('USAGE', `"${filter}" is not a topic filter: ${problem}`)
  const isOnce = options.once === true || options.json === true || process.stdout.isTTY !== true
  const seconds = options.seconds === undefined ? (isOnce ? 2 : undefined) : secondsOf(options.seconds)
  const over = new AbortController()
  const signal = AbortSignal.any([untilInterrupted(), over.signal])
  const screen = isOnce ? undefined : new Screen(process.stdout)
  const paint = paintFor(process.stdout)
  const seen = new Map<string, TopicReport>()
  let leftOut = 0
  for await (const answer of ask({ watch: 'topics', ...(filter === undefined ? {} : { filter }) }, signal)) {
    if ('topics' in answer) {
      for (const report of answer.topics) seen.set(report.topic, report)
      leftOut = answer.leftOut ?? leftOut
      if (answer.more) continue
    } else if (seconds !== undefined) setTimeout(() => over.abort(), seconds * 1_000 + lateMs).unref()
    screen?.show([...topicTree(seen.values(), leftOut, paint), '', paint('dim', 'Ctrl-C ends')])
  }
  if (!signal.aborted) throw new DamselflyError('DAEMON_UNREACHABLE', 'Damselfly has stopped')
  if (!isOnce) return
  const reports = [...seen.values()].sort((one, other) => (one.topic < other.topic ? -1 : 1))
  if (options.json === true) console.log(plainJson({ topics: reports, leftOut }))
  else console.log(topicTree(reports, leftOut, paint).join('\n'))
}

function secondsOf(text: string): number {
  const seconds = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (seconds > 0 && seconds <= secondsMax) return seconds
  throw new DamselflyError('USAGE', `--seconds ${text}: expected a number from 0.1 to ${secondsMax}`)
}
