import { errnoOf, reasonOf } from '../../core/errors.ts'

/** What LevelDB itself says: the errors around it only say where. */
export function causeOf(error: unknown): string {
  let deepest = error
  while (deepest instanceof Error && deepest.cause instanceof Error) deepest = deepest.cause
  return reasonOf(deepest)
}

/** Whether the disk, or the share of it that the user may fill, has no room left for what was to be written. */
export function isNoSpace(error: unknown): boolean {
  return /no space left on device|disk quota exceeded|ENOSPC|EDQUOT/i.test(causeOf(error))
}

/** Whether the disk itself failed: what cannot be read now may be whole. */
export function isDiskError(error: unknown): boolean {
  return /input\/output error|\bEIO\b/i.test(causeOf(error))
}

/** Whether a store could not be opened because another process, or this one, has it open. */
export function isLockedError(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) if (errnoOf(at) === 'LEVEL_LOCKED') return true
  return false
}
