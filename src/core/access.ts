/** How a password is kept in a file of users; the bytes and the numbers as they stand there. */
export type PasswordHash =
  /** `$7$ITERATIONS$SALT$HASH`: what mosquitto 2.0 writes, and we do. */
  | {
      readonly kind: 'pbkdf2-sha512'
      readonly iterations: number
      readonly salt: Uint8Array
      readonly hash: Uint8Array
    }
  /** `$6$SALT$HASH`: SHA-512 of password and salt, once; what mosquitto 1.x wrote. */
  | { readonly kind: 'sha512'; readonly salt: Uint8Array; readonly hash: Uint8Array }
  /** `$argon2id$v=19$…`, a PHC string: what mosquitto 2.1 writes. */
  | { readonly kind: 'argon2id'; readonly encoded: string }

/** A line of a file of users. */
export interface User {
  /** No `:`, and no `$` at the beginning: those are identities of ours. */
  readonly name: string
  readonly password: PasswordHash
}

/** What a line of an access control list lets do, or forbids: `deny` forbids both, whatever else allows it. */
export type AclVerb = 'read' | 'write' | 'readwrite' | 'deny'

/** Whom a line is about. */
export type AclSubject =
  /** Who came without a name: lines before the first `user`. */
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'user'; readonly name: string }
  /** Every user of that group. */
  | { readonly kind: 'group'; readonly name: string }
  /** `pattern`: everybody. */
  | { readonly kind: 'everyone' }

/** One line that speaks of topics. */
export interface AclLine {
  readonly subject: AclSubject
  readonly verb: AclVerb
  /** A topic filter; of a `pattern` `%u` and `%c` in it stand for the user's name and the client identifier. */
  readonly filter: string
  /** Whether `%u` and `%c` mean something in it. */
  readonly isPattern: boolean
  /** Counted from 1. */
  readonly line: number
  /** As it is written. */
  readonly text: string
}

/** A file that says who may do what; who is named nowhere in it may do nothing. */
export interface AccessList {
  /** As it is shown to people. */
  readonly file: string
  readonly lines: readonly AclLine[]
  /** The users of each group. */
  readonly groups: ReadonlyMap<string, ReadonlySet<string>>
}

/**
 * Who acts in the process, as an access control list names them. Without a block of its own in the list (`user $rules`)
 * an identity may do everything: a list that was written for clients stops no rule.
 */
export const ownIdentities = ['$rules', '$pins'] as const

export type OwnIdentity = (typeof ownIdentities)[number]
