import { readFile, realpath } from 'node:fs/promises'

/**
 * Whether a file system can be written, but not by this process: systemd gives a service mounts of its own when it starts it,
 * and one that was read-only then stays so for it. False when it cannot be told.
 */
export async function isReadOnlyForUs(path: string): Promise<boolean> {
  try {
    return isReadOnlyMount(await readFile('/proc/self/mountinfo', 'utf8'), await realpath(path))
  } catch {
    return false
  }
}

/**
 * Whether the mount that holds this path is read-only, and its file system is not.
 * @param mounts as in proc_pid_mountinfo(5): among others the mount's place and its options; behind a hyphen those of the
 *   file system
 */
export function isReadOnlyMount(mounts: string, path: string): boolean {
  let found: { readonly place: string; readonly isReadOnly: boolean } | undefined
  for (const line of mounts.split('\n')) {
    const [own = '', ofAll = ''] = line.split(' - ')
    const [, , , , escaped, options = ''] = own.split(' ')
    if (escaped === undefined) continue
    const place = escaped.replaceAll(/\\(\d{3})/g, (_, octal) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    )
    const holds = path === place || path.startsWith(place === '/' ? '/' : `${place}/`)
    // of two in the same place the later one is on top
    if (!holds || place.length < (found?.place.length ?? 0)) continue
    const isReadOnly =
      options.split(',').includes('ro') && (ofAll.split(' ')[2] ?? '').split(',').includes('rw')
    found = { place, isReadOnly }
  }
  return found?.isReadOnly === true
}
