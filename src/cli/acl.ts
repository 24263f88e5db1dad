import { DecisionMemory } from '../broker/access/decision-memory.ts'
import { RightsBook } from '../broker/access/rights-book.ts'
import type { Settings } from '../config/settings.ts'
import { type AccessList, type OwnIdentity, ownIdentities } from '../core/access.ts'
import { Counters } from '../core/counters.ts'
import { DamselflyError } from '../core/errors.ts'
import type { Listener } from '../core/listener.ts'
import { nearest } from '../core/nearest.ts'
import { filterProblem, isSystemTopic, systemTopicReason, topicProblem } from '../core/topics.ts'
import { settingsReader } from '../daemon/settings-reader.ts'
import { chosenHouse } from './chosen-house.ts'
import { exitCodes } from './exit-codes.ts'
import { reportWarnings } from './report.ts'

export interface TestAclOptions {
  readonly client?: string
  readonly listener: string
}

/** The client id that stands for `%c` unless one is told. */
const standIn = 'test'

/**
 * Prints whether a user may read or write a topic, and why; sets the exit code.
 * @throws DamselflyError `USAGE`, ProblemsError
 */
export async function testAcl(
  user: string,
  topic: string,
  verb: string,
  options: TestAclOptions,
): Promise<void> {
  checkWords(user, topic, verb)
  const { settings, warnings } = await settingsReader(await chosenHouse()).read()
  reportWarnings(warnings)
  const listener = listenerOf(settings, options.listener)
  tellDoubts(settings, listener, user, options)
  const { isAllowed, why } = answer(listener.acl, user, topic, verb as 'read' | 'write', options)
  console.log(`${isAllowed ? 'yes' : 'no'}: ${why}`)
  if (!isAllowed) process.exitCode = exitCodes.failed
}

function checkWords(user: string, topic: string, verb: string): void {
  if (verb !== 'read' && verb !== 'write')
    throw new DamselflyError('USAGE', `the last word is read or write, not "${verb}"`)
  const problem = verb === 'write' ? topicProblem(topic) : filterProblem(topic)
  if (problem !== undefined) throw new DamselflyError('USAGE', `"${topic}" cannot be asked about: ${problem}`)
  if (user.startsWith('$') && !isOwnIdentity(user))
    throw new DamselflyError(
      'USAGE',
      `no user has the name "${user}"; our own are ${ownIdentities.join(' and ')}`,
    )
}

function listenerOf({ listeners }: Settings, name: string): Listener {
  const found = listeners.find((listener) => listener.name === name)
  if (found !== undefined) return found
  const names = listeners.map((listener) => listener.name)
  const near = nearest(name, names)
  const hint = near === undefined ? `there are ${names.join(', ')}` : `${near} perhaps`
  throw new DamselflyError('USAGE', `no listener has the name "${name}": ${hint}`)
}

/** What may make the answer another one than in earnest. */
function tellDoubts(
  { remote }: Settings,
  listener: Listener,
  user: string,
  { client }: TestAclOptions,
): void {
  const { acl, users, credentials } = listener
  if (remote !== undefined)
    console.error('note: BROKER_URL is set, and the broker there says who may do what')
  const isNamed = user !== '-' && !isOwnIdentity(user)
  if (isNamed && credentials?.username !== user && !users.some(({ name }) => name === user))
    console.error(`note: ${user} is neither in the file of users nor MQTT_USERNAME`)
  const hasClientIds = acl?.lines.some(({ isPattern, filter }) => isPattern && filter.includes('%c'))
  if (client === undefined && hasClientIds === true)
    console.error(`note: %c is tried as "${standIn}"; --client says another client id`)
}

function answer(
  list: AccessList | undefined,
  user: string,
  topic: string,
  verb: 'read' | 'write',
  { client = standIn }: TestAclOptions,
): { readonly isAllowed: boolean; readonly why: string } {
  if (verb === 'write' && isSystemTopic(topic)) return { isAllowed: false, why: systemTopicReason }
  if (list === undefined)
    return { isAllowed: true, why: 'there is no access control list: everybody may do everything' }
  const book = new RightsBook(list, new DecisionMemory(new Counters()))
  const rights = isOwnIdentity(user)
    ? book.rightsOfIdentity(user)
    : book.rightsOf({ user: user === '-' ? undefined : user, clientId: client })
  if (rights === undefined)
    return { isAllowed: true, why: `${list.file} has no section for ${user}: it may do everything` }
  const { isAllowed, line } = verb === 'read' ? rights.explainFilter(topic) : rights.explain(topic, verb)
  const { file } = list
  if (line === undefined) return { isAllowed, why: `no line of ${file} allows it` }
  return { isAllowed, why: `${file}:${line.line}: ${line.text}` }
}

function isOwnIdentity(user: string): user is OwnIdentity {
  return ownIdentities.some((identity) => identity === user)
}
