/** A shared subscription's parts. */
export interface SharedFilter {
  readonly share: string
  /** Not checked: it is a filter like others. */
  readonly filter: string
}

/**
 * Takes `$share/{ShareName}/{filter}` apart; undefined for a filter that is not shared. The share's name has at least one
 * character [MQTT-4.8.2-1], no wildcard, and a filter behind it [MQTT-4.8.2-2]; `invalid` says that it is not so.
 */
export function parseShared(filter: string): SharedFilter | undefined | 'invalid' {
  if (!isShared(filter)) return undefined
  const nameEnd = filter.indexOf('/', prefix.length)
  if (nameEnd === -1 || nameEnd === prefix.length || nameEnd === filter.length - 1) return 'invalid'
  const share = filter.slice(prefix.length, nameEnd)
  if (share.includes('+') || share.includes('#')) return 'invalid'
  return { share, filter: filter.slice(nameEnd + 1) }
}

/** The filter that topics are to match: of a shared subscription what follows the share's name. */
export function plainFilter(filter: string): string {
  const shared = parseShared(filter)
  return shared === undefined || shared === 'invalid' ? filter : shared.filter
}

/** Whether a filter asks for a shared subscription, rightly made or not. */
export function isShared(filter: string): boolean {
  return filter.startsWith(prefix)
}

const prefix = '$share/'
