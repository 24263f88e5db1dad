import { createHash, pbkdf2Sync, randomBytes } from 'node:crypto'
import type { PasswordHash, User } from '#src/core/access.js'

/** A user as mosquitto 2 keeps it; of so many iterations that verifying takes as long as a test wants. */
export function userOf(name: string, password: string, iterations = 101): User {
  const salt = randomBytes(12)
  const hash = pbkdf2Sync(password, salt, iterations, 64, 'sha512')
  return { name, password: { kind: 'pbkdf2-sha512', iterations, salt, hash } }
}

/** As mosquitto 1 kept it. */
export function oldHash(password: string): PasswordHash {
  const salt = randomBytes(12)
  return { kind: 'sha512', salt, hash: createHash('sha512').update(password).update(salt).digest() }
}

/** Of the word `password`, by the reference implementation: with its own parameters, and with those of mosquitto 2.1. */
export const argon2Hashes = [
  '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=47104,t=1,p=1$BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw$f7W51b/K+H3MiJ04zHx4yVNK21UNz2yvrZGmhOvM3x3/qFiK5mAwLDxIFVRJLNSc1mdzv22A88F0SNkCtvWerA',
] as const
