import type { DaemonStatus } from '../control/protocol.ts'
import type { BridgeState } from '../core/bridge.ts'
import { DamselflyError } from '../core/errors.ts'
import { shownLimit } from '../core/limit-keys.ts'
import { shownPlaces } from '../core/listener.ts'
import { formatDuration } from '../core/units.ts'
import { askOnce } from './ask.ts'
import { localTime } from './terminal.ts'

/** What an owner looks at first, and its words. */
const counted = [
  ['rules.fired', 'rules fired'],
  ['rules.conditionErrors', 'conditions that failed'],
  ['steps.done', 'steps done'],
  ['steps.failed', 'steps failed'],
  ['messages.dropped', 'messages dropped'],
  ['clients.refused', 'clients refused'],
  ['publishes.refused', 'publishes refused'],
  ['subscriptions.refused', 'subscriptions refused'],
  ['store.refused', 'messages refused that could not be kept'],
] as const

/**
 * Says how the running daemon is.
 * @throws DamselflyError `DAEMON_UNREACHABLE` (with `--json` after an object that says so), `CONNECTION_REFUSED`
 */
export async function status(options: { readonly json?: boolean }): Promise<void> {
  try {
    const answer = await askOnce({ get: 'status' })
    if (!('status' in answer)) throw new DamselflyError('DAEMON_UNREACHABLE', 'no status was told')
    if (options.json === true) console.log(JSON.stringify({ running: true, ...answer.status }))
    else console.log(statusLines(answer.status).join('\n'))
  } catch (error) {
    const isOff = error instanceof DamselflyError && error.code === 'DAEMON_UNREACHABLE'
    if (options.json === true && isOff) console.log('{"running":false}')
    throw error
  }
}

/** The status in lines for a person. */
export function statusLines(status: DaemonStatus): string[] {
  const { version, name, pid, startedAt, link, lastReload } = status
  const upMs = Math.max(0, Date.now() - Date.parse(startedAt))
  const rows: [string, string][] =
    link === undefined
      ? [
          ['listening', listening(status)],
          ...status.pending.map((reason): [string, string] => ['', `(${reason})`]),
        ]
      : [['broker', link]]
  rows.push(...broker(status))
  rows.push(['rules', rules(status)], ['pins', pins(status)])
  if (status.sensors > 0) rows.push(['sensors', String(status.sensors)])
  rows.push(['memory', `${Math.round(status.memoryBytes / 2 ** 20)} MiB`])
  if (lastReload !== undefined) {
    const outcome = lastReload.isOk
      ? 'went well'
      : `failed, the configuration before it holds: ${lastReload.reason}`
    rows.push(['reload', `${localTime(lastReload.at)} ${outcome}`])
  }
  rows.push(['counted', counts(status)])
  const limits = Object.entries(status.limits).map(([limit, count]) => `${shownLimit(limit)} ${count}`)
  if (limits.length > 0) rows.push(['limits', `reached: ${limits.join(', ')} (docs/limits.md)`])
  const up = formatDuration(Math.floor(upMs / 1_000) * 1_000)
  return [
    `Damselfly ${version} is running as ${name}, process ${pid}, since ${localTime(startedAt)} (${up})`,
    ...rows.map(([title, text]) => `  ${title.padEnd(11)}${text}`),
  ]
}

function listening({ listeners }: DaemonStatus): string {
  return listeners.flatMap(shownPlaces).join('  ') || 'nowhere'
}

function broker({
  clients,
  sessions,
  queuedMessages,
  retainedMessages,
  store,
  bridges = [],
}: DaemonStatus): [string, string][] {
  const rows: [string, string][] = []
  if (clients !== undefined) rows.push(['clients', `${clients} connected`])
  const waiting = queuedMessages === undefined ? '' : `, ${messages(queuedMessages)} waiting in them`
  if (sessions !== undefined) rows.push(['sessions', `${sessions}${waiting}`])
  if (retainedMessages !== undefined) rows.push(['retained', messages(retainedMessages)])
  if (store?.isWritten === false) {
    const { reason, since, refused } = store
    rows.push([
      'disk',
      `cannot be written since ${localTime(since)}: ${reason}; ${messages(refused)} refused`,
    ])
  }
  for (const [index, bridge] of bridges.entries())
    rows.push([index === 0 ? 'bridges' : '', bridgeLine(bridge)])
  return rows
}

function bridgeLine({ name, isConnected, reason, queued }: BridgeState): string {
  const state = isConnected ? 'connected' : `not connected${reason === undefined ? '' : ` (${reason})`}`
  return `${name}: ${state}, ${queued} queued`
}

function messages(count: number): string {
  return count === 1 ? '1 message' : `${count} messages`
}

function rules({ rules: { enabled, disabled } }: DaemonStatus): string {
  return disabled === 0 ? String(enabled) : `${enabled}, and ${disabled} with enabled: false`
}

function pins({ pins: { held, unavailable, isSimulated } }: DaemonStatus): string {
  const more = [
    ...(unavailable.length > 0 ? [`not available: ${unavailable.join(', ')}`] : []),
    ...(isSimulated ? ['simulated'] : []),
  ]
  return [held, ...more].join('; ')
}

function counts({ counters }: DaemonStatus): string {
  const told = counted.flatMap(([name, words]) => {
    const count = counters[name] ?? 0
    return count === 0 ? [] : [`${count} ${words}`]
  })
  return told.join(', ') || 'nothing yet'
}
