import type { AccessList, User } from '../core/access.ts'
import type { ProblemList } from './problem-list.ts'

/** Everybody who may come in with a name and a password. */
export interface NamedUsers {
  readonly users: readonly User[]
  /** That of `.env`. */
  readonly ownerName: string | undefined
}

/** Users told one by one; those behind them are counted. */
const toldMax = 5

/** Warns of each user whom no line of the list lets do anything, `MQTT_USERNAME` among them. */
export function warnOfSilenced(
  acl: AccessList,
  { users, ownerName }: NamedUsers,
  warnings: ProblemList,
): void {
  // a list without lines silences everybody, and is told of elsewhere
  if (acl.lines.length === 0 || acl.lines.some(isForWhomever)) return
  const names = new Set([...(ownerName === undefined ? [] : [ownerName]), ...users.map(({ name }) => name)])
  const silenced = [...names].filter((name) => !isNamed(acl, name))
  const place = { file: acl.file, line: 0, column: 0 }
  for (const name of silenced.slice(0, toldMax))
    warnings.add({
      place,
      message: `${name} may do nothing: no line of ${acl.file} names it`,
      suggestion: `user ${name}, and below it what it may do: topic readwrite #`,
    })
  if (silenced.length > toldMax)
    warnings.add({
      place,
      message: `${silenced.length - toldMax} more users may do nothing: no line names them`,
    })
}

/** A pattern that lets every user do something; whoever's name does not fit into it is told of when it connects. */
function isForWhomever({ subject, verb }: AccessList['lines'][number]): boolean {
  return subject.kind === 'everyone' && verb !== 'deny'
}

/** A section that forbids everything is meant so. */
function isNamed({ lines, groups }: AccessList, name: string): boolean {
  return lines.some(
    ({ subject }) =>
      (subject.kind === 'user' && subject.name === name) ||
      (subject.kind === 'group' && groups.get(subject.name)?.has(name) === true),
  )
}
