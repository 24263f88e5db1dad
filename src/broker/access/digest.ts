import { createHmac, randomBytes } from 'node:crypto'

const key = randomBytes(32)

/** What may be remembered of a password: the same for the same one, of use to nobody, and gone with this process. */
export function digestOf(password: string | Uint8Array): Uint8Array {
  return createHmac('sha256', key).update(password).digest()
}

/** Likewise of a name and a password together, as the key of a map. */
export function claimDigest(name: string, password: Uint8Array): string {
  const bytes = Buffer.from(name)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return createHmac('sha256', key).update(length).update(bytes).update(password).digest('base64')
}

/** Likewise of a name: people type passwords there by mistake. */
export function nameDigest(name: string): Buffer {
  return createHmac('sha256', key).update('name ').update(name).digest()
}
