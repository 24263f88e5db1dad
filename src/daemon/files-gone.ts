import { join } from 'node:path'
import { shownPath } from '../config/read-file.ts'
import type { AccessFile, Settings } from '../config/settings.ts'
import type { Problem } from '../core/problems.ts'

const wordsFor: Readonly<Record<AccessFile, Pick<Problem, 'message' | 'suggestion'>>> = {
  acl: {
    message: 'the file was there and is gone: without it everybody could do everything',
    suggestion:
      'put it back, or write "topic readwrite #" and "pattern readwrite #" into it; a restart takes its absence for what it is',
  },
  users: {
    message: 'the file was there and is gone, or empty: without it nobody in it could connect',
    suggestion:
      'put it back, or leave a line that begins with # in it; a restart takes its absence for what it is',
  },
}

/**
 * Files that say who may do what, and are not there any more: a mistake while the process runs, for a file that is
 * moved, or whose disk is away, would open what it has kept closed.
 *
 * @param cwd what paths are shown from
 */
export function filesGone(now: Settings, next: Settings, cwd: string): readonly Problem[] {
  return now.accessFiles
    .filter((name) => !next.accessFiles.includes(name))
    .map((name) => ({
      place: { file: shownPath(cwd, join(next.configDir, name)), line: 0, column: 0 },
      ...wordsFor[name],
    }))
}
