import type { Settings } from '../config/settings.ts'
import { shownPlaces } from '../core/listener.ts'
import type { Pin } from '../core/pin.ts'
import { linkInWords } from '../core/remote-broker.ts'
import { suggestedCredentials } from '../core/suggested-credentials.ts'
import { formatDuration } from '../core/units.ts'
import { version } from '../daemon/version.ts'
import type { DaemonState } from '../daemon.ts'
import { describeSource } from '../sensors/sources.ts'
import { whySimulated } from './why-simulated.ts'

/** What an owner wants to see when the house is ready, on a screen. */
export function startBlock(state: DaemonState, host: string): string {
  const rows: [string, string[]][] = [
    ...broker(state),
    ['pins', pins(state)],
    ...sensors(state),
    ['rules', rules(state)],
    ['settings', [state.settings.configDir]],
  ]
  const body = rows.flatMap(([title, lines]) =>
    lines.map((line, index) => `  ${(index === 0 ? title : '').padEnd(11)}${line}`),
  )
  const { name } = state.settings
  const as = name.toLowerCase() === host.toLowerCase() ? '' : `, as ${name},`
  return ['', `Damselfly ${version()} on ${host}${as} is ready`, '', ...body, ''].join('\n')
}

/** The names with which clients come in; undefined when there are none. */
export function namesInWords({
  credentials,
  users,
}: Pick<Settings, 'credentials' | 'users'>): string | undefined {
  const count = users.length === 1 ? '1 user of the file users' : `${users.length} users of the file users`
  if (credentials === undefined) return users.length === 0 ? undefined : count
  return `${credentials.username}, with the password in .env${users.length === 0 ? '' : `, and ${count}`}`
}

/** Where the broker is, and who gets in if it is ours. */
function broker(state: DaemonState): [string, string[]][] {
  if (state.link !== undefined) return [['broker', [linkInWords(state.link)]]]
  return [
    ['listening', listening(state)],
    ['clients', clients(state)],
  ]
}

function listening({ listeners = [], pending }: DaemonState): string[] {
  return [
    listeners.flatMap(shownPlaces).join('  ') || 'nowhere yet',
    ...pending.map((reason) => `(${reason})`),
  ]
}

function clients({ settings }: DaemonState): string[] {
  const { allowAnonymous } = settings
  if (allowAnonymous === 'everyone')
    return ['anyone who can reach these addresses, without a password (ALLOW_ANONYMOUS=true)']
  const local = allowAnonymous === 'local' ? 'this machine: all' : 'this machine: with name and password'
  const names = namesInWords(settings)
  if (names !== undefined) return [`${local}   LAN: as ${names}`]
  return [
    `${local}   LAN: none; these two lines in .env let them in:`,
    ...suggestedCredentials().map((line) => `  ${line}`),
  ]
}

function pins({ pins: board, settings }: DaemonState): string[] {
  const all = board.pins.map((pin) => {
    const label = typeof pin.line === 'number' ? `GPIO${pin.line}` : pin.line
    return `${pin.name} (${label}, ${kindOf(pin)}) ${board.state(pin.name)}`
  })
  if (all.length === 0) return ['none']
  return board.isSimulated
    ? [...all, `(simulated: ${whySimulated(settings.gpioChip)}, no real line moves)`]
    : all
}

function sensors({ settings: { sensors: all } }: DaemonState): [string, string[]][] {
  if (all.length === 0) return []
  const lines = all.map(
    ({ name, source, everyMs }) => `${name} (${describeSource(source)}, every ${formatDuration(everyMs)})`,
  )
  return [['sensors', lines]]
}

function kindOf(pin: Pin): string {
  if (pin.direction !== 'pwm') return `${pin.direction}put`
  return pin.scale.kind === 'angle' ? 'servo' : 'PWM'
}

function rules({ settings }: DaemonState): string[] {
  const all = settings.rules
    .filter(({ isEnabled }) => isEnabled)
    .map(({ name, trigger, afterMs }) => {
      const silent = afterMs === undefined ? '' : `, silent for ${formatDuration(afterMs)}`
      if (trigger.kind === 'message') return `${name} ← ${trigger.filters.join(', ')}${silent}`
      return trigger.kind === 'every' ? `${name} ← by the clock` : `${name} ← at ${trigger.cron}`
    })
  return all.length === 0 ? ['none'] : all
}
