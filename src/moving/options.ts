import { bridgeOptions } from './bridge-options.ts'
import { generalOptions } from './general-options.ts'
import { listenerOptions } from './listener-options.ts'
import { isFamily, type Option } from './option.ts'

/** Every option of mosquitto.conf(5), of 2.0 and 2.1; what `translate` does and what `docs/from-mosquitto.md` says. */
export const options: readonly Option[] = [...generalOptions, ...listenerOptions, ...bridgeOptions]

const byName: ReadonlyMap<string, Option> = new Map(
  options.flatMap((option) =>
    [option.name, ...(option.aliases ?? [])].map((name) => [name, option] as const),
  ),
)
const families = [...byName].filter(([, option]) => isFamily(option))

/** The option of this name; undefined when mosquitto knows none. */
export function optionOf(name: string): Option | undefined {
  const found = byName.get(name)
  if (found !== undefined) return found
  return families.find(([family]) => name.startsWith(family.slice(0, -1)))?.[1]
}
