import { DamselflyError } from '../core/errors.ts'

/** The folder of our compiled code, and of the packages that we brought. */
const ownRoots = [new URL('..', import.meta.url).href, new URL('../../node_modules/', import.meta.url).href]

/**
 * Whether something that nobody caught came out of the code of a user's action: it has a file of theirs in its
 * stack, or none of ours (a socket or a promise of Node that they made), or is a failure of the expected
 * kind, such as a publish to an impossible topic that was not awaited. Everything else is a mistake of our own.
 */
export function isForeign(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || typeof thrown.stack !== 'string') return true
  if (thrown instanceof DamselflyError) return true
  const files = thrown.stack.match(/file:\/\/[^\s)]+/g) ?? []
  const own = files.filter((file) => ownRoots.some((root) => file.startsWith(root)))
  return own.length === 0 || own.length < files.length
}
