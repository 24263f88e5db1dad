import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { AccessList, User } from '../core/access.ts'
import type { AllowAnonymous } from '../core/bind.ts'
import { bridgeOfSession } from '../core/bridge.ts'
import { ownClientId } from '../core/message.ts'
import type { Secret } from '../core/secret.ts'
import { suggestedCredentials } from '../core/suggested-credentials.ts'

const useCredentials = 'give the client the MQTT_USERNAME and MQTT_PASSWORD that stand in .env'

/** Who may come in at a listener, and do what. */
export interface ListenerAccess {
  readonly allowAnonymous: AllowAnonymous
  readonly credentials: { readonly username: string; readonly password: Secret } | undefined
  readonly users?: readonly User[]
  readonly acl?: AccessList | undefined
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
}

export type Verdict =
  /** `user` is who it is: nobody by name when undefined. */
  | { readonly isAllowed: true; readonly user: string | undefined }
  | {
      readonly isAllowed: false
      /** Of MQTT 5, table 3-1: 0x85 client identifier not valid, 0x86 bad user name or password, 0x87 not authorized. */
      readonly reasonCode: 0x85 | 0x86 | 0x87
      readonly reason: string
      /** What the owner can do about it. */
      readonly remedy: string
    }

/**
 * Decides about one CONNECT. A name that is given is always checked, also from this machine: a wrong
 * password must not look as if it were right.
 */
export function judge(access: Access, applicant: Applicant): Verdict {
  if (applicant.clientId === ownClientId) {
    const reason = `the client id ${ownClientId} stands for our own rules and pins`
    return { isAllowed: false, reasonCode: 0x85, reason, remedy: 'give the client another id' }
  }
  if (bridgeOfSession(applicant.clientId) !== undefined) {
    const reason = `the client id ${applicant.clientId} stands for a bridge of our own`
    return { isAllowed: false, reasonCode: 0x85, reason, remedy: 'give the client another id' }
  }
  if (access.name !== undefined && applicant.clientId === `damselfly-${access.name}`) {
    const reason = `a second Damselfly has the name ${access.name} too: their topics would be the same`
    return { isAllowed: false, reasonCode: 0x85, reason, remedy: 'set another NAME in its .env' }
  }
  if (applicant.username === undefined) return judgeAnonymous(access, applicant.isLocal)
  if (access.credentials === undefined) {
    // @NOTE without credentials of ours a name is no claim that could be wrong
    const verdict = judgeAnonymous(access, applicant.isLocal)
    return verdict.isAllowed ? verdict : { ...verdict, reason: 'no user name is known here yet' }
  }
  const { username, password } = access.credentials
  const isRight =
    isSame(digestOf(applicant.username), username) &
    isSame(applicant.passwordDigest ?? digestOf(applicant.password ?? ''), password.reveal())
  if (isRight === 1) return { isAllowed: true, user: username }
  return {
    isAllowed: false,
    reasonCode: 0x86,
    reason: 'wrong user name or password',
    remedy: useCredentials,
  }
}

function judgeAnonymous(access: Access, isLocal: boolean): Verdict {
  if (access.allowAnonymous === 'everyone' || (access.allowAnonymous === 'local' && isLocal))
    return { isAllowed: true, user: undefined }
  return { isAllowed: false, reasonCode: 0x87, reason: 'no user name given', remedy: remedyFor(access) }
}

/** What the owner does so that clients on the LAN get in. */
function remedyFor(access: Access): string {
  if (access.credentials !== undefined) return useCredentials
  const [username, password] = suggestedCredentials()
  return `put two lines into .env, ${username} and ${password}, save it, and give name and password to the client`
}

const digestKey = randomBytes(32)

/** What may be remembered of a password: the same for the same one, of use to nobody, and gone with this process. */
export function digestOf(password: string | Uint8Array): Uint8Array {
  return createHmac('sha256', digestKey).update(password).digest()
}

// Digests have one length, so the comparison takes the same time for every guess.
function isSame(given: Uint8Array, expected: string): number {
  return timingSafeEqual(given, digestOf(expected)) ? 1 : 0
}
