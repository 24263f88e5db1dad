import { errnoOf, reasonOf } from '../../core/errors.ts'

/** What LevelDB itself says: the errors around it only say where. */
export function causeOf(error: unknown): string {
  let deepest = error
  while (deepest instanceof Error && deepest.cause instanceof Error) deepest = deepest.cause
  return reasonOf(deepest)
}

/** Whether a store could not be opened because another process, or this one, has it open. */
export function isLockedError(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (errnoOf(at) === 'LEVEL_LOCKED') return true
  return false
}
