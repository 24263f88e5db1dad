import { basename } from 'node:path'
import { Secret } from '../core/secret.ts'
import { isTrue, lastIn, lastOf, type Section, type Statement } from './mosquitto-conf.ts'
import type { Draft, YamlValue } from './move.ts'

/** `true` or `false`; undefined when no line says it. */
export function anonymityOf({ conf, outcomes }: Draft, section: Section | undefined): string | undefined {
  const own =
    section === undefined ? undefined : lastIn(section, 'listener_allow_anonymous', 'allow_anonymous')
  const statement = own ?? lastOf(conf.general, 'allow_anonymous')
  if (statement === undefined) return undefined
  const isAllowed = isTrue(statement.value)
  const isLocal = conf.listeners.length === 0
  outcomes.taken(
    statement,
    isLocal && isAllowed ? 'ALLOW_ANONYMOUS=local' : `anonymous clients: ${isAllowed ? 'let in' : 'refused'}`,
  )
  return isLocal && isAllowed ? 'local' : String(isAllowed)
}

/** Users and rights: those of all listeners into `users` and `acl`, those of one into files of its name. */
export function takeFiles(
  draft: Draft,
  section: Section | undefined,
  name: string,
  settings: Record<string, YamlValue>,
): void {
  takeFile(draft, section, name, settings, 'users', 'password_file')
  takeFile(draft, section, name, settings, 'acl', 'acl_file')
}

function takeFile(
  draft: Draft,
  section: Section | undefined,
  name: string,
  settings: Record<string, YamlValue>,
  what: 'users' | 'acl',
  option: string,
): void {
  const { conf, copies, outcomes } = draft
  const isOwn = conf.isPerListener && section !== undefined
  const statement =
    (isOwn ? lastIn(section, option) : lastOf(conf.general, option)) ?? byPlugin(draft, option)
  if (statement === undefined) {
    const isOfOthers = conf.listeners.some((other) => lastIn(other, option) !== undefined)
    if (isOwn && name !== 'main' && isOfOthers) closeFile(draft, name, settings, what)
    return
  }
  const from = conf.resolve(statement.value)
  const known = copies.find((copy) => copy.from === from && copy.what === what)
  const to = known?.to ?? (name === 'main' || !isOwn ? what : `${what}-${name}`)
  if (known === undefined) copies.push({ from, to, what })
  if (to !== what || (name !== 'main' && isOwn)) settings[what] = to
  outcomes.taken(statement, `the file ${to} in CONFIG_DIR`)
}

/** A listener without users or rights of its own does not have those of the others: nobody is known, everything is allowed. */
function closeFile(
  { secrets }: Draft,
  name: string,
  settings: Record<string, YamlValue>,
  what: 'users' | 'acl',
): void {
  const to = `${what}-${name}`
  const text = what === 'users' ? '# nobody is known at this listener\n' : 'pattern readwrite #\n'
  secrets.push({ to, text: new Secret(text) })
  settings[what] = to
}

/** The plugins that do in mosquitto 2.1 what `password_file` and `acl_file` did before. */
function byPlugin({ conf, outcomes }: Draft, option: string): Statement | undefined {
  for (const { head, statements } of conf.plugins) {
    if (head === undefined || !basename(head.value).startsWith(`mosquitto_${option}`)) continue
    const said = statements.find(({ name }) => name.endsWith(`_opt_${option}`))
    if (said === undefined) continue
    outcomes.taken(head, 'no plugin is needed')
    return said
  }
  return undefined
}
