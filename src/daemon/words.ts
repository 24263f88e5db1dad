import type { Settings } from '../config/settings.ts'
import type { ReloadOutcome } from '../control/protocol.ts'
import { mainListener, shownPlaces } from '../core/listener.ts'
import { commandWords, isOutput } from '../core/pin.ts'
import type { DoorState } from '../core/ports.ts'
import { linkInWords } from '../core/remote-broker.ts'

/** For the service manager: `2 rules, 3 pins, listening on 192.168.1.5:1883`, and why the last reload changed nothing. */
export function statusLine(
  { rules, pins }: Settings,
  { listeners = [], link }: DoorState,
  lastReload?: ReloadOutcome,
): string {
  const where =
    link === undefined
      ? `listening on ${listeners.flatMap(shownPlaces).join(', ') || 'no address'}`
      : `broker ${linkInWords(link)}`
  const notReloaded = lastReload?.isOk === false ? `; not reloaded: ${lastReload.reason}` : ''
  return `${rules.length} rules, ${pins.length} pins, ${where}${notReloaded}`
}

/** For the log: the addresses of `BIND`, and, where there are some, all other places, and what cannot be listened on yet. */
export function listeningFields({
  listeners = [],
  pending,
}: Pick<DoorState, 'listeners' | 'pending'>): object {
  const main = listeners.find(({ name }) => name === mainListener)
  const others = listeners.filter((listener) => listener !== main).flatMap(shownPlaces)
  return {
    addresses: main?.addresses ?? [],
    ...(others.length > 0 ? { others } : {}),
    ...(pending.length > 0 ? { pending } : {}),
  }
}

/** The same text as long as the outputs have the same names and understand the same commands. */
export function outputNames({ pins }: Settings): string {
  return pins
    .filter(isOutput)
    .map((pin) => `${pin.name}: ${commandWords(pin)}`)
    .sort()
    .join('\n')
}
