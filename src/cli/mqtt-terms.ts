import type { ProtocolVersion } from '../client/broker-address.ts'
import type { ConnectionTerms } from '../client/connection-terms.ts'
import { DamselflyError } from '../core/errors.ts'
import type { QoS } from '../core/message.ts'
import { topicProblem } from '../core/topics.ts'
import type { MqttArguments } from './mqtt-arguments.ts'
import { packetTeller } from './mqtt-debug.ts'
import { type Properties, readProperties } from './mqtt-properties.ts'

const keepAliveSecondsDefault = 60
/** A session of MQTT 5 that never ends. */
const forever = 0xffff_ffff

/**
 * What the options say of the connection, beside where it goes to.
 * @throws DamselflyError `USAGE`
 */
export function termsOf(given: MqttArguments, version: ProtocolVersion, clientId: string): ConnectionTerms {
  const properties = readProperties(given.properties)
  const isClean = !given.has('-c')
  const will = willOf(given, properties.get('will'))
  const connectProperties = withExpiry(given, version, isClean, properties.get('connect'))
  const [publish, unsubscribe, disconnect] = (['publish', 'unsubscribe', 'disconnect'] as const).map(
    (command) => properties.get(command),
  )
  const subscribeOptions = subscribeOptionsOf(given, version, properties.get('subscribe'))
  return {
    isClean,
    keepAliveSeconds: given.wholeNumber('-k', 5, 65_535) ?? keepAliveSecondsDefault,
    ...(will === undefined ? {} : { will }),
    ...(connectProperties === undefined ? {} : { connectProperties }),
    ...(publish === undefined ? {} : { publishProperties: publish }),
    ...(unsubscribe === undefined ? {} : { unsubscribeOptions: { properties: unsubscribe } }),
    ...(disconnect === undefined ? {} : { disconnectProperties: disconnect }),
    ...(subscribeOptions === undefined ? {} : { subscribeOptions }),
    ...(given.has('-d') ? { onPacket: packetTeller(clientId) } : {}),
  }
}

/** `-c` alone keeps the session of MQTT 5 for ever, as it does before MQTT 5. */
function withExpiry(
  given: MqttArguments,
  version: ProtocolVersion,
  isClean: boolean,
  properties: Properties | undefined,
): Properties | undefined {
  const text = given.last('-x')
  if (version !== 5) return properties // as mosquitto's tools: it says nothing to an earlier broker
  const isForever = text === '-1' || text === '∞' || (text === undefined && !isClean)
  const seconds = isForever ? forever : Number(text ?? Number.NaN)
  if (text !== undefined && !isForever && !(/^\d{1,10}$/.test(text) && seconds <= forever))
    throw new DamselflyError(
      'USAGE',
      `-x is a whole number of seconds up to 4294967295, or -1, not "${text}"`,
    )
  if (text !== undefined && seconds === forever && !given.has('-i'))
    throw new DamselflyError(
      'USAGE',
      '-x without an end needs -i beside it: the session is kept under this id',
    )
  return Number.isNaN(seconds) ? properties : { sessionExpiryInterval: seconds, ...properties }
}

function willOf(given: MqttArguments, properties: Properties | undefined): ConnectionTerms['will'] {
  const topic = given.last('--will-topic')
  if (topic === undefined) {
    const alone = ['--will-payload', '--will-qos', '--will-retain'].find((name) => given.has(name))
    if (alone !== undefined) throw new DamselflyError('USAGE', `${alone} needs --will-topic beside it`)
    if (properties !== undefined) throw new DamselflyError('USAGE', '-D will needs --will-topic beside it')
    return undefined
  }
  const problem = topicProblem(topic)
  if (problem !== undefined)
    throw new DamselflyError('USAGE', `--will-topic "${topic}" is not a topic: ${problem}`)
  return {
    topic,
    payload: Buffer.from(given.last('--will-payload') ?? ''),
    qos: (given.wholeNumber('--will-qos', 0, 2) ?? 0) as QoS,
    retain: given.has('--will-retain'),
    ...(properties === undefined ? {} : { properties }),
  }
}

function subscribeOptionsOf(
  given: MqttArguments,
  version: ProtocolVersion,
  properties: Properties | undefined,
): ConnectionTerms['subscribeOptions'] {
  const isAsPublished = given.has('--retain-as-published')
  if (isAsPublished && version !== 5)
    throw new DamselflyError('USAGE', '--retain-as-published is of MQTT 5: add -V mqttv5')
  // what -R leaves out need not be sent (MQTT 5, §3.8.3.1)
  const isWithoutRetained =
    version === 5 && given.tool === 'sub' && given.has('-R') && !given.has('--remove-retained')
  if (properties === undefined && !isAsPublished && !isWithoutRetained) return undefined
  return {
    ...(isAsPublished ? { rap: true } : {}),
    ...(isWithoutRetained ? { rh: 2 } : {}),
    ...(properties === undefined ? {} : { properties }),
  }
}
