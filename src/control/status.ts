import { limits } from '../core/limits.ts'
import type { Pin, Sensor } from '../core/pin.ts'
import { formatPlace, type Problem } from '../core/problems.ts'
import type { Rule } from '../core/rule.ts'
import type { DaemonStatus, ReloadOutcome } from './protocol.ts'

export type BrokerAmounts = Pick<
  DaemonStatus,
  'clients' | 'sessions' | 'queuedMessages' | 'retainedMessages' | 'store' | 'bridges'
>

/** What the status is made of: the house as its parts tell of it. */
export interface StatusFacts
  extends Pick<
    DaemonStatus,
    'version' | 'host' | 'addresses' | 'listeners' | 'pending' | 'link' | 'counters'
  > {
  /** How much the broker of our own has; empty where it is another one. */
  readonly amounts: BrokerAmounts
  readonly startedAt: Date
  readonly settings: {
    readonly name: string
    readonly port: number
    readonly rules: readonly Rule[]
    readonly pins: readonly Pin[]
    readonly sensors: readonly Sensor[]
  }
  readonly board: {
    readonly pins: readonly Pin[]
    readonly chip: { readonly path: string } | undefined
    readonly isSimulated: boolean
  }
  readonly lastReload: ReloadOutcome | undefined
}

/** The status of this process, now. */
export function statusOf(facts: StatusFacts): DaemonStatus {
  const { settings, board, counters, link, amounts, lastReload } = facts
  const enabled = settings.rules.filter(({ isEnabled }) => isEnabled).length
  const held = board.pins.map(({ name }) => name)
  return {
    version: facts.version,
    name: settings.name,
    host: facts.host,
    pid: process.pid,
    startedAt: facts.startedAt.toISOString(),
    port: settings.port,
    addresses: facts.addresses,
    listeners: facts.listeners,
    pending: facts.pending,
    ...(link === undefined ? {} : { link }),
    ...amounts,
    sensors: settings.sensors.length,
    rules: { enabled, disabled: settings.rules.length - enabled },
    pins: {
      held: held.length,
      unavailable: settings.pins.map(({ name }) => name).filter((name) => !held.includes(name)),
      ...(board.chip === undefined ? {} : { chip: board.chip.path }),
      isSimulated: board.isSimulated,
    },
    memoryBytes: process.memoryUsage.rss(),
    ...(lastReload === undefined ? {} : { lastReload }),
    counters,
    limits: Object.fromEntries(Object.entries(counters).filter(([name]) => Object.hasOwn(limits, name))),
  }
}

/** A reload that has just gone well, or failed for these mistakes, of which there is one at least, or this reason. */
export function reloadOutcome(failure?: string | readonly Problem[]): ReloadOutcome {
  const at = new Date().toISOString()
  if (failure === undefined) return { at, isOk: true }
  return { at, isOk: false, reason: typeof failure === 'string' ? failure : shortly(failure) }
}

function shortly([first, ...more]: readonly Problem[]): string {
  if (first === undefined) return 'unknown reason'
  const rest = more.length === 0 ? '' : ` (and ${more.length} more)`
  return `${formatPlace(first.place)}: ${first.message}${rest}`
}
