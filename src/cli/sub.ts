import type { Arrival } from '../client/connection.ts'
import { Link } from '../client/link.ts'
import { DamselflyError, errnoOf } from '../core/errors.ts'
import { filterProblem } from '../core/topics.ts'
import { exitCodes } from './exit-codes.ts'
import { messagePrinter } from './message-format.ts'
import { answerMs, brokerOf, type MqttOptions, qosOf } from './mqtt-options.ts'
import { flushed, OutputRoom } from './output-room.ts'

export interface SubOptions extends MqttOptions {
  readonly topic: readonly string[]
  readonly qos: string
  readonly verbose?: boolean
  readonly count?: string
  readonly timeout?: string
  readonly format?: string
}

/** Why it ends: it has what it should have, from outside with this exit code, or because of something thrown. */
type End = 'count' | number | Error

/** Time to say goodbye to the broker, and to print the rest. */
const goodbyeMs = 1_000

/**
 * Prints messages until it has `-C` of them, `-W` is over (exit code 27), it is interrupted, or nobody reads them any more.
 * While standard output takes nothing, nothing is read from the broker: it may drop us, which is told.
 * @throws DamselflyError `USAGE`, `BROKER_UNREACHABLE`, `CONNECTION_REFUSED`, `SUBSCRIPTION_REFUSED`
 */
export async function sub(options: SubOptions): Promise<void> {
  const { topic: filters, verbose = false, format } = options
  for (const filter of filters) {
    const problem = filterProblem(filter)
    if (problem !== undefined)
      throw new DamselflyError('USAGE', `-t "${filter}" is not a topic filter: ${problem}`)
  }
  const qos = qosOf(options.qos)
  let left = wholeNumber('-C', options.count) ?? Number.POSITIVE_INFINITY
  const timeoutSeconds = wholeNumber('-W', options.timeout)
  const print = await messagePrinter(format === undefined ? { verbose } : { verbose, format })

  const room = new OutputRoom()
  let finish: (end: End) => void = () => {}
  const finished = new Promise<End>((resolve) => {
    finish = (end) => {
      left = 0
      room.end()
      resolve(end)
    }
  })
  const onMessage = (_filter: string, message: Arrival): void => {
    if (left <= 0) return
    print(message)
    left--
    if (left <= 0) finish('count')
  }
  // @NOTE one connection, whether filters overlap or not: what comes twice is printed twice, as by mosquitto_sub
  const link = new Link({
    ...(await brokerOf(options)),
    onMessage,
    room: () => room.wait(),
    onUp: () => {},
    onDown: ({ message }) => {
      if (left <= 0) return // it ends
      const when = room.isFull ? ', when what is printed is read' : ''
      console.error(`damselfly: ${message}; trying again${when}`)
    },
    onRefused: finish,
    onFilterRefused: (_filter, reason) => finish(reason),
  })
  await link.open(answerMs)
  const forget = endsOf(finish, timeoutSeconds)
  for (const filter of new Set(filters)) link.subscribe(filter, qos).catch(finish)
  const end = await finished
  forget() // another signal ends it at once
  const rest = typeof end === 'number' ? flushed(goodbyeMs) : undefined
  await link.end(goodbyeMs)
  if (end instanceof Error) throw end
  process.exitCode = end === 'count' ? exitCodes.ok : end
  // what has been counted waits for its reader; who interrupts does not
  if ((await rest) === false) process.exit()
}

/** What ends it from outside. @returns what to call when it has ended */
function endsOf(finish: (end: End) => void, timeoutSeconds: number | undefined): () => void {
  const onSignal = (): void => finish(exitCodes.ok)
  const signals = ['SIGINT', 'SIGTERM'] as const
  for (const signal of signals) process.on(signal, onSignal)
  // whoever reads may have had enough: sub … | head -1
  process.stdout.on('error', (error) => finish(errnoOf(error) === 'EPIPE' ? exitCodes.ok : error))
  const onTimeout = (): void => {
    console.error('Timed out')
    finish(exitCodes.timedOut)
  }
  const timer = timeoutSeconds === undefined ? undefined : setTimeout(onTimeout, timeoutSeconds * 1_000)
  return () => {
    clearTimeout(timer)
    for (const signal of signals) process.off(signal, onSignal)
  }
}

/** At most as many seconds as a timer can wait. */
function wholeNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  throw new DamselflyError('USAGE', `${option} is a whole number from 1 to 999999, not "${text}"`)
}
