import { readAclFile } from '../config/acl-file.ts'
import { ProblemList } from '../config/problem-list.ts'
import type { AccessList } from '../core/access.ts'
import { DamselflyError } from '../core/errors.ts'
import type { Door, Move } from '../moving/move.ts'
import type { Credentials } from './import-doors.ts'
import { type CopiedMessages, count, missingCount } from './import-report.ts'

const waitSecondsMax = 60

/**
 * How long mosquitto may take to say how many retained messages it has: one `sys_interval`, and what its clock of whole
 * seconds makes of it; a minute at most.
 */
export function countWaitMsOf({ env }: Pick<Move, 'env'>): number {
  const seconds = Number(env.get('SYS_INTERVAL') ?? 10)
  return seconds === 0 ? 0 : Math.min(seconds + 2, waitSecondsMax) * 1_000
}

/**
 * Sees to it that no retained message is left behind without a word.
 * @throws DamselflyError `SERVICE_REFUSED` when some are missing, or when nobody knows; it says what to do
 */
export async function refuseIfMissing(
  copy: CopiedMessages,
  { move, door, credentials }: { move: Move; door: Door; credentials: Credentials | undefined },
): Promise<void> {
  const missing = missingCount(copy)
  if (missing === 0 && copy.beyondBound === 0) return
  const who = credentials?.username ?? 'who gives no name'
  const seen = count(copy.topics.size, 'retained message')
  const reasons = [
    missing === undefined
      ? `${who} sees ${seen}; how many mosquitto has is not known: ${who} may not read $SYS, or sys_interval is 0`
      : `mosquitto has ${missing + copy.beyondBound} retained messages more than the ${copy.topics.size} that were copied`,
  ]
  if (copy.beyondBound > 0)
    reasons.push(`${copy.beyondBound} are beyond MAX_RETAINED_MESSAGES: set it in /etc/damselfly/.env`)
  const acl = missing === 0 ? undefined : await aclOf(move, door)
  if (acl !== undefined && !mayReadAll(acl, credentials?.username))
    reasons.push(`${who} may not read everything: ${acl.file} names no "topic read #" for it`)
  if (missing !== 0)
    reasons.push(
      'Give --username and --password of a user who may read everything: in its acl_file "topic read #" and "topic read $SYS/#"',
    )
  reasons.push('With --retained-as-seen what was not copied is left behind. mosquitto goes on')
  throw new DamselflyError('SERVICE_REFUSED', reasons.join('\n'))
}

/** The list that holds at a door; undefined when there is none. */
async function aclOf({ copies }: Move, { name }: Door): Promise<AccessList | undefined> {
  const lists = copies.filter(({ what }) => what === 'acl')
  const copy = lists.find(({ to }) => to === `acl-${name}`) ?? lists.find(({ to }) => to === 'acl')
  return copy && (await readAclFile(copy.from, copy.from, new ProblemList(), new ProblemList()))
}

/** Whether a list lets somebody read all that is not below `$SYS`; undefined: somebody without a name. */
function mayReadAll({ lines }: AccessList, username: string | undefined): boolean {
  const own = lines.filter(
    ({ subject }) =>
      subject.kind === 'everyone' ||
      (subject.kind === 'anonymous' && username === undefined) ||
      (subject.kind === 'user' && subject.name === username),
  )
  const isDenied = own.some(({ verb }) => verb === 'deny')
  return !isDenied && own.some(({ verb, filter }) => filter === '#' && verb !== 'write')
}
