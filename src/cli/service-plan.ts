// What `damselfly service` decides, without touching the machine.

/** Where the unit finds things. */
export interface Places {
  /** The node program, symlinks resolved. */
  readonly node: string
  /** The folder that holds `dist/`, symlinks resolved. */
  readonly package: string
}

/** Folders that the unit cannot see, and the setting that hides them. */
const hidden = [
  ['/home', 'ProtectHome=yes'],
  ['/root', 'ProtectHome=yes'],
  ['/run/user', 'ProtectHome=yes'],
  ['/tmp', 'PrivateTmp=yes'],
  ['/var/tmp', 'PrivateTmp=yes'],
] as const

/** Why the unit cannot see a path (absolute, symlinks resolved), or undefined when it can. */
export function hiddenBy(path: string): string | undefined {
  const found = hidden.find(([folder]) => path === folder || path.startsWith(`${folder}/`))
  return found && `the unit cannot see ${found[0]} (${found[1]})`
}

/** The unit file for these places, from systemd/damselfly.service, which is right for a Debian package. */
export function unitFor(template: string, places: Places): string {
  return template.replaceAll(
    /^(Exec\w+=)\/usr\/bin\/node (.*) \/usr\/lib\/damselfly(\/\S+)/gm,
    (_, setting: string, flags: string, file: string) =>
      `${setting}${quoted(places.node)} ${flags} ${quoted(places.package + file)}`,
  )
}

/** A path as a word of a unit's command line; systemd.service(5), "Command lines"; `%` is a specifier. */
function quoted(path: string): string {
  const escaped = path.replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /["'\\\s]/.test(escaped) ? `"${escaped.replaceAll(/["\\]/g, '\\$&')}"` : escaped
}

/** The port that the text of a `.env` sets; 1883 when it sets none. */
export function portOf(env: string): number {
  const [, port] = /^\s*(?:export\s+)?PORT\s*=\s*["']?(\d+)/m.exec(env) ?? []
  return port === undefined ? 1883 : Number(port)
}

/** Whether the text of a `.env` keeps every device on the LAN out. */
export function letsNobodyIn(env: string): boolean {
  const sets = (key: string, value: string) =>
    new RegExp(`^\\s*(?:export\\s+)?${key}\\s*=\\s*["']?${value}`, 'm').test(env)
  return !sets('MQTT_PASSWORD', '[^\\s"\']') && !sets('ALLOW_ANONYMOUS', 'true')
}

/** The properties that `describeStatus` wants of `systemctl show`. */
export const statusProperties = [
  'LoadState',
  'ActiveState',
  'SubState',
  'UnitFileState',
  'ActiveEnterTimestamp',
  'MainPID',
  'ExecMainStatus',
  'Result',
  'NRestarts',
  'MemoryCurrent',
  'StatusText',
] as const

/**
 * The state of the unit in a few lines.
 * @param shown what `systemctl show` printed: `NAME=value`, one a line
 */
export function describeStatus(shown: string): { readonly isRunning: boolean; readonly lines: string[] } {
  const values = new Map(
    shown.split('\n').map((line): [string, string] => {
      const end = line.indexOf('=')
      return [line.slice(0, end), line.slice(end + 1)]
    }),
  )
  const of = (name: (typeof statusProperties)[number]) => values.get(name) ?? ''
  if (of('LoadState') !== 'loaded')
    return { isRunning: false, lines: ['not installed; install it with: sudo damselfly service install'] }
  const isRunning = of('ActiveState') === 'active' || of('ActiveState') === 'reloading'
  const lines = [`${of('ActiveState')} (${of('SubState')})`]
  if (isRunning) {
    lines[0] += ` since ${of('ActiveEnterTimestamp')}, process ${of('MainPID')}${memoryOf(of('MemoryCurrent'))}`
  } else if (of('Result') !== 'success') {
    lines[0] += `, ${of('Result')}, exit code ${of('ExecMainStatus')}`
  }
  if (of('StatusText') !== '') lines.push(of('StatusText'))
  lines.push(`starts with the machine: ${of('UnitFileState') === 'enabled' ? 'yes' : 'no'}`)
  lines.push(`restarts after a failure: ${of('NRestarts')}`)
  lines.push('log: journalctl -u damselfly -f')
  return { isRunning, lines }
}

function memoryOf(bytes: string): string {
  return /^\d+$/.test(bytes) ? `, ${Math.round(Number(bytes) / 2 ** 20)} MiB` : '' // "[not set]" without the controller
}
