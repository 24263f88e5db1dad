import { pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import type { PasswordHash } from './access.ts'
import { limits } from './limits.ts'

/** Why a text is no hash that can be used; neither field shows any of it. */
export interface HashMistake {
  readonly kind: 'mistake'
  readonly message: string
  readonly expected: string
}

/** SHA-512 has so many bytes, and mosquitto writes all of them. */
const digestBytes = 64
/** mosquitto 2.0 reads salts of this length alone. */
const newSaltBytes = 12
/** About 50 ms on a Raspberry Pi 4; mosquitto 2.0 has 101, 2.1 has 1,000. */
const newIterations = 20_000

const base64 = /^[A-Za-z0-9+/]+={0,2}$/
const argon2id =
  /^\$argon2id\$v=19\$m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,3})\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

/**
 * Reads what stands after `NAME:` in a file of users, in the forms of mosquitto_passwd(1): `$7$ITERATIONS$SALT$HASH`,
 * `$6$SALT$HASH`, and `$argon2id$v=19$m=…,t=…,p=…$SALT$HASH` of 2.1, a PHC string. What would take too long or too much
 * memory to verify is a mistake: `passwordIterationsMax`, `passwordPassesMax`, `passwordMemoryBytesMax`.
 */
export function parsePasswordHash(text: string): PasswordHash | HashMistake {
  if (text.startsWith('$7$')) return parsePbkdf2(text.slice(3).split('$'))
  if (text.startsWith('$6$')) return parseSha512(text.slice(3).split('$'))
  if (text.startsWith('$argon2id$')) return parseArgon2(text)
  const message = text.startsWith('$')
    ? 'the password is kept in a way that is not known here'
    : 'the password is not hashed'
  return mistake(message, '$7$…, $6$… or $argon2id$…, as mosquitto_passwd and damselfly user write it')
}

/** As it stands in a file; the same text for the same hash. */
export function passwordHashText(hash: PasswordHash): string {
  if (hash.kind === 'argon2id') return hash.encoded
  const salt = Buffer.from(hash.salt).toString('base64')
  const digest = Buffer.from(hash.hash).toString('base64')
  return hash.kind === 'sha512' ? `$6$${salt}$${digest}` : `$7$${hash.iterations}$${salt}$${digest}`
}

/** A new hash of a password, in the form that every mosquitto from 2.0 on reads. */
export async function hashPassword(password: string): Promise<PasswordHash> {
  const salt = randomBytes(newSaltBytes)
  const hash = await promisify(pbkdf2)(password, salt, newIterations, digestBytes, 'sha512')
  return { kind: 'pbkdf2-sha512', iterations: newIterations, salt, hash }
}

function parsePbkdf2(parts: readonly string[]): PasswordHash | HashMistake {
  const [count = '', ...rest] = parts
  const form = '$7$ITERATIONS$SALT$HASH, salt and hash in base64'
  const iterations = /^\d{1,10}$/.test(count) ? Number(count) : 0
  const bytes = saltAndHash(rest)
  if (iterations === 0 || bytes === undefined) return mistake('the hash is cut off or damaged', form)
  if (iterations > limits.passwordIterationsMax)
    return mistake(
      `the password would take too long to verify: ${iterations} iterations`,
      `at most ${limits.passwordIterationsMax}`,
    )
  return { kind: 'pbkdf2-sha512', iterations, ...bytes }
}

function parseSha512(parts: readonly string[]): PasswordHash | HashMistake {
  const bytes = saltAndHash(parts)
  if (bytes === undefined) return mistake('the hash is cut off or damaged', '$6$SALT$HASH, both in base64')
  return { kind: 'sha512', ...bytes }
}

function parseArgon2(encoded: string): PasswordHash | HashMistake {
  const [, memory, passes, lanes, salt = '', hash = ''] = argon2id.exec(encoded) ?? []
  const saltBytes = Buffer.from(salt, 'base64').length
  const hashBytes = Buffer.from(hash, 'base64').length
  const isWhole = saltBytes >= 8 && saltBytes <= 64 && hashBytes >= 16 && hashBytes <= 64
  // RFC 9106, section 3.1: at least 8 KiB for each lane
  const isPossible = Number(passes) >= 1 && Number(lanes) >= 1 && Number(memory) >= 8 * Number(lanes)
  if (!isWhole || !isPossible)
    return mistake(
      'the hash is cut off or damaged',
      '$argon2id$v=19$m=KIB,t=PASSES,p=LANES$SALT$HASH, salt and hash in base64 without =',
    )
  if (Number(memory) * 1_024 > limits.passwordMemoryBytesMax)
    return mistake(
      `the password would take too much memory to verify: m=${memory}`,
      `at most m=${limits.passwordMemoryBytesMax / 1_024}`,
    )
  if (Number(passes) > limits.passwordPassesMax)
    return mistake(
      `the password would take too long to verify: t=${passes}`,
      `at most t=${limits.passwordPassesMax}`,
    )
  return { kind: 'argon2id', encoded }
}

function saltAndHash(parts: readonly string[]): { salt: Uint8Array; hash: Uint8Array } | undefined {
  const [saltText = '', hashText = ''] = parts
  if (parts.length !== 2 || !base64.test(saltText) || !base64.test(hashText)) return undefined
  const salt = Buffer.from(saltText, 'base64')
  const hash = Buffer.from(hashText, 'base64')
  return salt.length >= 1 && salt.length <= 64 && hash.length === digestBytes ? { salt, hash } : undefined
}

function mistake(message: string, expected: string): HashMistake {
  return { kind: 'mistake', message, expected }
}
