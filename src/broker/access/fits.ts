import { createHash, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { PasswordHash } from '../../core/access.ts'
import { assertMachineCode } from '../../core/machine-code.ts'

const derive = promisify(pbkdf2)

/**
 * Whether a password is the one that was hashed. What takes long is done by the threads beside the event loop; then it
 * is a promise, which rejects when the library for argon2id cannot be loaded.
 */
export function fits(hash: PasswordHash, password: Uint8Array): boolean | Promise<boolean> {
  if (hash.kind === 'pbkdf2-sha512') return fitsPbkdf2(hash, password)
  if (hash.kind === 'argon2id') return fitsArgon2(hash.encoded, password)
  // mosquitto 1.x: SHA-512 of the password and the salt, once
  return timingSafeEqual(createHash('sha512').update(password).update(hash.salt).digest(), hash.hash)
}

type Pbkdf2Hash = Extract<PasswordHash, { readonly kind: 'pbkdf2-sha512' }>

async function fitsPbkdf2({ salt, iterations, hash }: Pbkdf2Hash, password: Uint8Array): Promise<boolean> {
  return timingSafeEqual(await derive(password, salt, iterations, hash.length, 'sha512'), hash)
}

async function fitsArgon2(encoded: string, password: Uint8Array): Promise<boolean> {
  assertMachineCode('@node-rs/argon2')
  const { verify } = await import('@node-rs/argon2') // most houses have no such hash
  return await verify(encoded, password)
}
