import { fstatSync } from 'node:fs'

/** Priorities of syslog(3), by the levels of the log. */
export const priorities = { debug: 7, info: 6, warn: 4, error: 3, fatal: 2 } as const

/**
 * Whether a file descriptor is systemd's stream into the journal.
 * @param journalStream what systemd says of it in `JOURNAL_STREAM`: device and inode; systemd.exec(5)
 */
export function isJournalStream(fd: number, journalStream: string | undefined): boolean {
  if (journalStream === undefined) return false
  try {
    const { dev, ino } = fstatSync(fd)
    return journalStream === `${dev}:${ino}`
  } catch {
    return false // closed
  }
}

/** The text, each line with its priority as the journal's stream takes it; sd-daemon(3). */
export function withPriority(text: string, priority: number): string {
  return text.replaceAll(/^/gm, `<${priority}>`)
}
