import { timingSafeEqual } from 'node:crypto'
import type { AccessList, User } from '../core/access.ts'
import type { AllowAnonymous } from '../core/bind.ts'
import { bridgeOfSession } from '../core/bridge.ts'
import type { ListenerTls } from '../core/listener.ts'
import { ownClientId } from '../core/message.ts'
import type { Secret } from '../core/secret.ts'
import { suggestedCredentials } from '../core/suggested-credentials.ts'
import { digestOf } from './access/digest.ts'
import { hashTextOf, userNamed } from './access/users.ts'

const useCredentials = 'give the client the MQTT_USERNAME and MQTT_PASSWORD that stand in .env'

/** Who may come in at a listener, and do what. */
export interface ListenerAccess {
  readonly allowAnonymous: AllowAnonymous
  readonly credentials: { readonly username: string; readonly password: Secret } | undefined
  readonly users?: readonly User[]
  /** Of `users`: the same name in another one is somebody else. Undefined: the house's, which are those of `.env` too. */
  readonly realm?: string | undefined
  readonly acl?: AccessList | undefined
  /** Whether a client's certificate says who it is. */
  readonly tls?: Pick<ListenerTls, 'userFrom'> | undefined
}

/** Who may connect, and do what. */
export interface Access extends ListenerAccess {
  /** This Damselfly's name; another one that is attached to it needs one of its own. */
  readonly name?: string
  /** By the name of the listener; one that is not here has what stands above. */
  readonly listeners?: ReadonlyMap<string, ListenerAccess>
}

/** A client that asks to be let in. */
export interface Applicant {
  readonly clientId: string
  readonly isLocal: boolean
  readonly username: string | undefined
  readonly password?: Uint8Array | undefined
  /** In place of the password: what `digestOf` gave for it. */
  readonly passwordDigest?: Uint8Array | undefined
  /** The hash of a user of the file that its password was verified against. */
  readonly verifiedHash?: string | undefined
  /** The name of the listener that it came to. */
  readonly listener?: string
  /** The user that its certificate names. */
  readonly certificateUser?: string | undefined
}

export type Verdict =
  | {
      readonly isAllowed: true
      /** Who it is: nobody by name when undefined. */
      readonly user: string | undefined
      /** The hash that its password was verified against, if it is a user of the file. */
      readonly verifiedHash?: string | undefined
    }
  | {
      readonly isAllowed: false
      /**
       * Of MQTT 5, table 3-1: 0x85 client identifier not valid, 0x86 bad user name or password, 0x87 not authorized,
       * 0x88 server unavailable, 0x89 server busy.
       */
      readonly reasonCode: 0x85 | 0x86 | 0x87 | 0x88 | 0x89
      /** For the client too: it tells nobody which names there are. */
      readonly reason: string
      /** What the owner can do about it. */
      readonly remedy: string
      /** The user that it says it is, if there is one of that name: for the owner alone. */
      readonly knownUser?: string
      /** How long to wait before it is told. */
      readonly delayMs?: number
    }

/**
 * Decides about one CONNECT. A name that is given is always checked, also from this machine: a wrong
 * password must not look as if it were right. Of a user of the file the password counts as right if it was
 * verified against the hash that stands there now.
 */
export function judge(access: Access, applicant: Applicant): Verdict {
  const { clientId, username, isLocal, verifiedHash } = applicant
  if (clientId === ownClientId) {
    const reason = `the client id ${ownClientId} stands for our own rules and pins`
    return { isAllowed: false, reasonCode: 0x85, reason, remedy: 'give the client another id' }
  }
  if (bridgeOfSession(clientId) !== undefined) {
    const reason = 'its client id stands for a bridge of our own'
    return { isAllowed: false, reasonCode: 0x85, reason, remedy: 'give the client another id' }
  }
  if (access.name !== undefined && clientId === `damselfly-${access.name}`) {
    const reason = `a second Damselfly has the name ${access.name} too: their topics would be the same`
    return { isAllowed: false, reasonCode: 0x85, reason, remedy: 'set another NAME in its .env' }
  }
  const terms = termsFor(access, applicant.listener)
  const certified = certifiedUser(terms, applicant)
  if (certified !== undefined) return judgeCertificate(certified)
  if (username === undefined) return judgeAnonymous(terms, isLocal)
  if (!hasNames(terms)) {
    // @NOTE where no name is known it is no claim that could be wrong
    const verdict = judgeAnonymous(terms, isLocal)
    return verdict.isAllowed ? verdict : { ...verdict, reason: 'no user name is known here yet' }
  }
  if (isOwner(terms, username))
    return hasCredentials(terms, applicant) ? { isAllowed: true, user: username } : wrong(terms, username)
  const user = userNamed(terms.users ?? [], username)
  if (user === undefined || verifiedHash !== hashTextOf(user)) return wrong(terms, username)
  return { isAllowed: true, user: username, verifiedHash }
}

/** A password that has to be verified before `judge` can say yes. */
export interface OpenQuestion {
  readonly name: string
  /** Undefined when there is none of that name: then the answer is no, after as much work. */
  readonly user: User | undefined
  readonly users: readonly User[]
  readonly password: Uint8Array
}

/** What has to be found out first; undefined when `judge` knows enough. */
export function openQuestion(access: Access, applicant: Applicant): OpenQuestion | undefined {
  const { username: name, password } = applicant
  const terms = termsFor(access, applicant.listener)
  const { users = [] } = terms
  if (name === undefined || password === undefined || users.length === 0) return undefined
  if (certifiedUser(terms, applicant) !== undefined || hasCredentials(terms, applicant)) return undefined
  return { name, user: isOwner(terms, name) ? undefined : userNamed(users, name), users, password }
}

/**
 * Where a user's name counts, of one who was let in at that listener; undefined: in the house. Without a name: the
 * listener, unless it lets in the same people without one as the main listener.
 */
export function realmOf(
  access: Access,
  listener: string | undefined,
  user: string | undefined,
): string | undefined {
  const terms = termsFor(access, listener)
  if (user !== undefined) return terms.realm
  return terms.allowAnonymous === access.allowAnonymous ? undefined : listener
}

function termsFor(access: Access, listener: string | undefined): ListenerAccess {
  return (listener === undefined ? undefined : access.listeners?.get(listener)) ?? access
}

function certifiedUser({ tls }: ListenerAccess, { certificateUser }: Applicant): string | undefined {
  return tls === undefined || tls.userFrom === 'nothing' ? undefined : certificateUser
}

function judgeCertificate(user: string): Verdict {
  if (!user.startsWith('$')) return { isAllowed: true, user }
  const reason = 'its certificate has a name that stands for our own rules and pins'
  return { isAllowed: false, reasonCode: 0x87, reason, remedy: 'give the client a certificate without $' }
}

function hasNames({ credentials, users = [] }: ListenerAccess): boolean {
  return credentials !== undefined || users.length > 0
}

/** Whether it is the name of `.env`, whatever the file of users says of it. */
function isOwner({ credentials }: ListenerAccess, name: string): boolean {
  return credentials !== undefined && isSame(digestOf(name), credentials.username)
}

function hasCredentials({ credentials }: ListenerAccess, applicant: Applicant): boolean {
  const { username, password, passwordDigest } = applicant
  if (credentials === undefined || username === undefined) return false
  const isRightName = isSame(digestOf(username), credentials.username)
  const isRight = isSame(passwordDigest ?? digestOf(password ?? ''), credentials.password.reveal())
  return isRightName && isRight
}

function wrong(terms: ListenerAccess, name: string): Verdict {
  const { credentials, users = [] } = terms
  const isOwners = isOwner(terms, name)
  const isKnown = isOwners || userNamed(users, name) !== undefined
  const remedy =
    isOwners || users.length === 0
      ? useCredentials
      : isKnown
        ? 'damselfly user passwd and its name set a new password'
        : `damselfly user list shows the names${credentials === undefined ? '' : ', beside MQTT_USERNAME'}; damselfly user add NAME makes one`
  const reason = 'wrong user name or password'
  return { isAllowed: false, reasonCode: 0x86, reason, remedy, ...(isKnown && { knownUser: name }) }
}

function judgeAnonymous(terms: ListenerAccess, isLocal: boolean): Verdict {
  if (terms.allowAnonymous === 'everyone' || (terms.allowAnonymous === 'local' && isLocal))
    return { isAllowed: true, user: undefined }
  return { isAllowed: false, reasonCode: 0x87, reason: 'no user name given', remedy: remedyFor(terms) }
}

/** What the owner does so that clients on the LAN get in. */
function remedyFor({ credentials, users = [] }: ListenerAccess): string {
  if (users.length > 0)
    return 'give the client a name of damselfly user list and its password, or a new one: damselfly user add NAME'
  if (credentials !== undefined) return useCredentials
  const [username, password] = suggestedCredentials()
  return `run damselfly user add NAME, or put two lines into .env, ${username} and ${password}, save it, and give name and password to the client`
}

// Digests have one length, so the comparison takes the same time for every guess.
function isSame(given: Uint8Array, expected: string): boolean {
  return timingSafeEqual(given, digestOf(expected))
}
