import type { PasswordHash, User } from '../../core/access.ts'
import { passwordHashText } from '../../core/password-hash.ts'
import { nameDigest } from './digest.ts'

const indexes = new WeakMap<readonly User[], ReadonlyMap<string, User>>()
const texts = new WeakMap<User, string>()

/** The user of that name, if there is one. */
export function userNamed(users: readonly User[], name: string): User | undefined {
  let index = indexes.get(users)
  if (index === undefined) {
    index = new Map(users.map((user) => [user.name, user]))
    indexes.set(users, index)
  }
  return index.get(name)
}

/** What a user's password was verified against: as long as this is the same, so is the password. */
export function hashTextOf(user: User): string {
  let text = texts.get(user)
  if (text === undefined) {
    text = passwordHashText(user.password)
    texts.set(user, text)
  }
  return text
}

/** One of the hashes, for a name that is nobody's: always the same one for a name, so that it is like a user's. */
export function standInFor(users: readonly User[], name: string): PasswordHash | undefined {
  return users[nameDigest(name).readUInt32BE(0) % users.length]?.password
}
