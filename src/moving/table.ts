import { bridgeOptions } from './bridge-options.ts'
import { generalOptions } from './general-options.ts'
import { listenerOptions } from './listener-options.ts'
import type { Option } from './option.ts'

/** The table of `docs/from-mosquitto.md`: every option, and what it is here or why it is nothing, in Markdown. */
export function optionTable(): string {
  const sections: readonly (readonly [string, readonly Option[]])[] = [
    ['The whole broker', generalOptions],
    ['Listeners', listenerOptions],
    ['Bridges', bridgeOptions],
  ]
  return sections.map(([title, options]) => [`### ${title}`, '', ...rowsOf(options)].join('\n')).join('\n\n')
}

function rowsOf(options: readonly Option[]): string[] {
  const rows = options.toSorted((one, other) => (one.name < other.name ? -1 : 1)).map(rowOf)
  return ['| `mosquitto.conf` | here |', '|---|---|', ...rows]
}

function rowOf({ name, aliases = [], since, fate }: Option): string {
  const names = [name, ...aliases].map((each) => `\`${each}\``).join(', ')
  const version = since === undefined ? '' : ` (${since})`
  return `| ${names}${version} | ${fate.kind === 'lost' ? `**—** ${lostText(fate)}` : sameText(fate)} |`
}

function lostText({ what, unless = [] }: Option['fate'] & { kind: 'lost' }): string {
  const harmless = unless.length === 0 ? '' : ` With \`${unless[0]}\` nothing is different.`
  return `${what}.${harmless}`
}

function sameText(fate: Option['fate'] & { kind: 'same' | 'taken' }): string {
  if (fate.kind === 'taken' || fate.unless === undefined) return fate.here
  return `${fate.here} With \`${fate.unless.values.join('` or `')}\`: ${fate.unless.what}.`
}
