import type { BrokerView } from '../core/broker-view.ts'
import { protocolVersion, type TopicReport } from './protocol.ts'

/** Characters of a line at which it ends, and the next one begins: a line is made in one turn of the event loop. */
const lineCharsMax = 64 * 1024

/** All clients, in lines, the last of which also tells who was not let in. */
export function clientsLines(view: BrokerView): Iterable<string> {
  const refusals = (): string => `,"refusals":${JSON.stringify(view.refusalsAtTheDoor())}`
  return linesOfList(`"protocol":${protocolVersion},"clients":`, view.clients(), refusals)
}

/** One client, in lines: its subscriptions may be many. Undefined when there is no session of it. */
export function clientLines(view: BrokerView, id: string): Iterable<string> | undefined {
  const client = view.client(id)
  if (client === undefined) return undefined
  const head = `"protocol":${protocolVersion},"client":${JSON.stringify(client)},"subscriptions":`
  return linesOfList(head, view.subscriptionsOf(id), () => '')
}

export function topicsLines(topics: Iterable<TopicReport>, leftOut: number): Iterable<string> {
  return linesOfList('"topics":', topics, () => (leftOut === 0 ? '' : `,"leftOut":${leftOut}`))
}

/** One line at least. `head` stands in each of them, `tail` in the last. */
function* linesOfList(head: string, items: Iterable<object>, tail: () => string): Iterable<string> {
  let texts: string[] = []
  let length = 0
  for (const item of items) {
    if (length > lineCharsMax) {
      yield `{${head}[${texts.join()}],"more":true}`
      texts = []
      length = 0
    }
    const text = JSON.stringify(item)
    texts.push(text)
    length += text.length
  }
  yield `{${head}[${texts.join()}],"more":false${tail()}}`
}
