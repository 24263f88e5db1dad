import { readFile } from 'node:fs/promises'
import type { Logger } from '../core/ports.ts'

/** What the process itself has open, and what a reload or a program takes for a while. */
const ownFiles = 128

/**
 * Warns when fewer files may be open (RLIMIT_NOFILE) than clients may connect: the kernel would turn clients away, and
 * nobody would count them.
 * @param table where the process's limits stand; proc_pid_limits(5)
 */
export async function tellFewFiles(
  connectionsMax: number,
  log: Logger,
  table = '/proc/self/limits',
): Promise<void> {
  const text = await readFile(table, 'utf8').catch(() => '') // elsewhere than on Linux
  const openFilesMax = Number(/^Max open files +(\d+)/m.exec(text)?.[1] ?? Number.POSITIVE_INFINITY)
  if (openFilesMax >= connectionsMax + ownFiles) return
  const remedy = `LimitNOFILE=${connectionsMax + ownFiles} in the unit, or a smaller MAX_CONNECTIONS`
  log.warn({ openFilesMax, connectionsMax, remedy }, 'fewer files may be open than clients may connect')
}
