import type { Connection } from '../client/connection.ts'
import { Link } from '../client/link.ts'
import { DamselflyError } from '../core/errors.ts'
import { topicProblem } from '../core/topics.ts'
import { bodiesOf } from './message-source.ts'
import type { MqttArguments } from './mqtt-arguments.ts'
import { answerMs, brokerOf, qosOf } from './mqtt-options.ts'
import { MqttReading } from './mqtt-reading.ts'
import { topicOf } from './pub.ts'

/**
 * Sends a request to `-t`, and prints the first message that comes on `-e`. With MQTT 5, which is spoken unless told
 * otherwise, the request says where the answer is to go (MQTT 5, §4.10).
 * @throws DamselflyError `USAGE`, `BROKER_UNREACHABLE`, `CONNECTION_REFUSED`, `SUBSCRIPTION_REFUSED`
 */
export async function requestResponse(given: MqttArguments): Promise<void> {
  const target = await brokerOf(given)
  const topic = topicOf(given, target)
  const answerTopic = answerTopicOf(given)
  const qos = qosOf(given)
  const reading = await MqttReading.begin(given)
  const [payload] = (await bodiesOf(given)) as readonly Buffer[]
  let connection: Connection | undefined
  const link = new Link({
    ...target,
    broker: withAnswerTopic(target.broker, answerTopic),
    onMessage: (_filter, message) => {
      if (reading.isOver || (message.retain && given.has('-R'))) return
      reading.print(message)
      reading.finish('done')
    },
    room: () => reading.room.wait(),
    onUp: (up) => {
      connection = up
    },
    onDown: (reason) => reading.finish(reason), // the answer may have come meanwhile
    onRefused: (reason) => reading.finish(reason),
    onFilterRefused: (_filter, reason) => reading.finish(reason),
  })
  await link.open(answerMs)
  const ask = (): void =>
    connection?.publish({ topic, payload: payload ?? Buffer.alloc(0), qos, retain: false }, (refusal) => {
      if (refusal === undefined || /no matching subscribers/i.test(refusal)) return
      const reason = `the broker does not take the request: ${refusal}`
      reading.finish(new DamselflyError('CONNECTION_REFUSED', reason))
    })
  link.subscribe(answerTopic, qos).then(ask, (error: Error) => reading.finish(error))
  await reading.untilEnd(link)
}

function answerTopicOf(given: MqttArguments): string {
  const topic = given.last('-e')
  if (topic === undefined)
    throw new DamselflyError('USAGE', '-e TOPIC is missing: where does the answer come?')
  const problem = topicProblem(topic)
  if (problem !== undefined) throw new DamselflyError('USAGE', `-e "${topic}" is not a topic: ${problem}`)
  return topic
}

type Broker = Awaited<ReturnType<typeof brokerOf>>['broker']

function withAnswerTopic(broker: Broker, responseTopic: string): Broker {
  if (broker.protocolVersion !== 5) return broker
  const publishProperties = { ...broker.terms?.publishProperties, responseTopic }
  return { ...broker, terms: { ...broker.terms, publishProperties } }
}
