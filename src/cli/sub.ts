import type { Arrival, Connection } from '../client/connection.ts'
import { Link } from '../client/link.ts'
import { DamselflyError } from '../core/errors.ts'
import { filterProblem, matchesFilter } from '../core/topics.ts'
import type { MqttArguments } from './mqtt-arguments.ts'
import { answerMs, brokerOf, qosOf } from './mqtt-options.ts'
import { MqttReading } from './mqtt-reading.ts'

const countMax = 999_999

/**
 * Prints messages until it has `-C` of them, or what else ends it.
 * While standard output takes nothing, nothing is read from the broker: it may drop us, which is told.
 * @throws DamselflyError `USAGE`, `BROKER_UNREACHABLE`, `CONNECTION_REFUSED`, `SUBSCRIPTION_REFUSED`
 */
export async function sub(given: MqttArguments): Promise<void> {
  const { topic, ...target } = await brokerOf(given)
  const filters = filtersOf('-t', [...given.all('-t'), ...(topic === undefined ? [] : [topic])])
  if (filters.length === 0) throw new DamselflyError('USAGE', '-t FILTER is missing: which topics?')
  const unwanted = filtersOf('-U', given.all('-U'))
  const qos = qosOf(given)
  let left = given.wholeNumber('-C', 1, countMax) ?? Number.POSITIVE_INFINITY
  const fate = fateOf(given)
  const reading = await MqttReading.begin(given)
  let connection: Connection | undefined

  const onMessage = (_filter: string, message: Arrival): void => {
    if (reading.isOver) return
    const { isLast, isRemoved, isPrinted } = fate(message)
    if (isLast) return reading.finish('done')
    if (isRemoved) connection?.publish({ ...nothing, topic: message.topic }, () => {})
    if (!isPrinted) return
    reading.print(message)
    left--
    if (left <= 0) reading.finish('done')
  }
  // @NOTE one connection, whether filters overlap or not: what comes twice is printed twice, as by mosquitto_sub
  const link = new Link({
    ...target,
    takesAll: true,
    onMessage,
    room: () => reading.room.wait(),
    onUp: (up) => {
      connection = up
    },
    onDown: ({ message }) => {
      if (reading.isOver) return
      const when = reading.room.isFull ? ', when what is printed is read' : ''
      console.error(`damselfly: ${message}; trying again${when}`)
    },
    onRefused: (reason) => reading.finish(reason),
    onFilterRefused: (_filter, reason) => reading.finish(reason),
  })
  await link.open(answerMs)
  const agreed = Promise.all([...new Set(filters)].map((filter) => link.subscribe(filter, qos)))
  const ended = new DamselflyError('NOT_REGISTERED', 'unsubscribed')
  const settled = agreed.then(() => Promise.all(unwanted.map((filter) => link.unsubscribe(filter, ended))))
  settled.then(
    () => given.has('-E') && reading.finish('done'),
    (error: Error) => reading.finish(error),
  )
  await reading.untilEnd(link)
}

/** Removes what is retained. */
const nothing = { payload: Buffer.alloc(0), qos: 1, retain: true } as const

interface Fate {
  /** Nothing more is wanted. */
  readonly isLast: boolean
  readonly isRemoved: boolean
  readonly isPrinted: boolean
}

/** What `-R`, `-T`, `--retained-only`, `--remove-retained` and `--random-filter` make of a message. */
function fateOf(given: MqttArguments): (message: Arrival) => Fate {
  const isFresh = given.has('-R')
  const isRetainedOnly = given.has('--retained-only')
  if (isFresh && isRetainedOnly) throw new DamselflyError('USAGE', '-R and --retained-only leave nothing')
  const excluded = filtersOf('-T', given.all('-T'))
  const isRemoving = given.has('--remove-retained')
  const percent = percentOf(given.last('--random-filter'))
  return ({ topic, retain }) => {
    if (isRetainedOnly && !retain) return { isLast: true, isRemoved: false, isPrinted: false }
    const isExcluded = excluded.some((filter) => matchesFilter(filter, topic))
    const isPrinted = !isExcluded && !(isFresh && retain) && Math.random() * 100 < percent
    return { isLast: false, isRemoved: isRemoving && retain && !isExcluded, isPrinted }
  }
}

function percentOf(text: string | undefined): number {
  if (text === undefined) return 100
  const percent = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (percent >= 0.1 && percent <= 100) return percent
  throw new DamselflyError('USAGE', `--random-filter is a number from 0.1 to 100, not "${text}"`)
}

function filtersOf(option: string, filters: readonly string[]): readonly string[] {
  for (const filter of filters) {
    const problem = filterProblem(filter)
    if (problem !== undefined)
      throw new DamselflyError('USAGE', `${option} "${filter}" is not a topic filter: ${problem}`)
  }
  return filters
}
