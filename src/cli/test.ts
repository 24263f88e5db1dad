import { hostname } from 'node:os'
import { text } from 'node:stream/consumers'
import { inspect } from 'node:util'
import { DamselflyError } from '../core/errors.ts'
import type { Message, QoS } from '../core/message.ts'
import { readPinOrder } from '../core/pin-order.ts'
import { formatPlace } from '../core/problems.ts'
import { topicProblem } from '../core/topics.ts'
import { settingsReader } from '../daemon/settings-reader.ts'
import { type Explanation, explain, type StepExplanation } from '../rules/explain.ts'
import { chosenHouse } from './chosen-house.ts'
import { reportWarnings } from './report.ts'

export interface TestOptions {
  readonly all?: boolean
  readonly client: string
  readonly qos: string
  readonly retained?: boolean
}

/**
 * Shows what each rule would do with a message; runs no action.
 * @throws DamselflyError `USAGE`, ProblemsError
 */
export async function test(topic: string, payload: string, options: TestOptions): Promise<void> {
  const message = await messageOf(topic, payload, options)
  const { settings, warnings } = await settingsReader(await chosenHouse()).read()
  reportWarnings(warnings)
  const told = explain(settings.rules, message, { host: hostname(), ip: '' })
  const order = readPinOrder(message, settings.name, settings.pins)
  if (order !== undefined)
    console.log('problem' in order ? order.problem : `the pin ${order.pin} would be told ${order.command}`)
  const shown = options.all === true ? told : told.filter(({ isElsewhere }) => isElsewhere !== true)
  for (const one of shown) console.log(render(one))
  const others = told.length - shown.length
  if (others > 0) console.log(elsewhere(others))
  const firing = told.filter(({ fires }) => fires).length
  console.log(
    `\n${firing} of ${told.length} ${told.length === 1 ? 'rule' : 'rules'} would fire; nothing was done`,
  )
}

function elsewhere(count: number): string {
  return count === 1
    ? '1 rule listens to other topics or goes by the clock (--all shows it)'
    : `${count} rules listen to other topics or go by the clock (--all shows them)`
}

async function messageOf(topic: string, payload: string, options: TestOptions): Promise<Message> {
  const problem = topicProblem(topic)
  if (problem !== undefined) throw new DamselflyError('USAGE', `"${topic}" is not a topic: ${problem}`)
  if (!['0', '1', '2'].includes(options.qos))
    throw new DamselflyError('USAGE', `--qos is 0, 1 or 2, not "${options.qos}"`)
  return {
    topic,
    payload: Buffer.from(payload === '-' ? await text(process.stdin) : payload),
    qos: Number(options.qos) as QoS,
    retain: options.retained ?? false,
    client: options.client,
    chain: [],
  }
}

function render({ rule, fires, why, provided, steps }: Explanation): string {
  const lines = [`${fires ? '✔' : '✖'} ${rule.name}  (${formatPlace(rule.place)})`]
  if (!fires) lines.push(`    no: ${why}`)
  if (!fires && steps.length > 0) lines.push(`    else${provided === undefined ? '' : `, ${provided}`}:`)
  else if (provided !== undefined) lines.push(`    ${provided}:`)
  return [...lines, ...steps.map(renderStep)].join('\n')
}

function renderStep({ step, options, error }: StepExplanation): string {
  if (error !== undefined)
    return `    ${step.action.name}: ${step.needs === undefined ? 'would fail' : 'cannot be shown'}: ${error}`
  const shown = inspect(options, { depth: 6, breakLength: 100, compact: true, maxStringLength: 200 })
  return `    ${step.action.name}: ${shown.replaceAll('\n', '\n    ')}`
}
