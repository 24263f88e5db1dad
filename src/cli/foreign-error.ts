/** The folder of our compiled code, and of the packages that we brought. */
const ownRoots = [new URL('..', import.meta.url).href, new URL('../../node_modules/', import.meta.url).href]

/**
 * Whether something was thrown out of code that is not ours: a user's action or a plugin. The first file in its
 * stack tells; what has no stack is taken for foreign, for we throw errors only.
 */
export function isForeign(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || thrown.stack === undefined) return true
  const first = /file:\/\/[^\s)]+/.exec(thrown.stack)?.[0]
  return first !== undefined && !ownRoots.some((root) => first.startsWith(root))
}
