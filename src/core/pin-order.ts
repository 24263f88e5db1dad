import { nearest } from './nearest.ts'
import { commandProblem, commandWords, isOutput, type Pin, type PinCommand, parsePinCommand } from './pin.ts'

const commandBytesMax = 64
const shownMax = 64

/** What a message to `damselfly/NAME/pins/PIN/set` would do. */
export type PinOrder =
  | { readonly pin: string; readonly command: PinCommand }
  /** Nothing, for this reason; without `pin` when there is no such pin of ours. */
  | { readonly pin?: string; readonly problem: string }

/** Reads a message as a command for a pin; undefined when its topic is none for commands. @param name ours, in topics */
export function readPinOrder(
  { topic, payload }: { readonly topic: string; readonly payload: Uint8Array },
  name: string,
  pins: readonly Pin[],
): PinOrder | undefined {
  const [, owner, called = ''] = /^damselfly\/([^/]+)\/pins\/([^/]*)\/set$/.exec(topic) ?? []
  if (owner === undefined) return undefined
  if (owner !== name) return { problem: `this Damselfly is called ${name}` }
  const pin = pins.find((one) => one.name === called)
  if (pin === undefined) {
    const near = nearest(
      called,
      pins.map((one) => one.name),
    )
    return {
      problem: `no pin is called ${called.slice(0, shownMax)}${near === undefined ? '' : `; nearest: ${near}`}`,
    }
  }
  const command = commandOf(payload)
  if (pin.direction === 'in' && typeof command === 'number' && pin.count !== undefined)
    return { pin: called, command }
  if (command === undefined) {
    const words = isOutput(pin)
      ? commandWords(pin)
      : pin.count === undefined
        ? 'on, off or toggle'
        : 'a number'
    return { pin: called, problem: `the pin ${called} does not understand that; it knows ${words}` }
  }
  if (!isOutput(pin))
    return {
      pin: called,
      problem: `the pin ${called} is an input: outside the simulator only its wire can change it`,
    }
  const problem = commandProblem(pin, command)
  return problem === undefined ? { pin: called, command } : { pin: called, problem }
}

/** What a payload commands, as `parsePinCommand`; it is looked for in 64 bytes and no more. */
export function commandOf(payload: Uint8Array): PinCommand | undefined {
  if (payload.length > commandBytesMax) return undefined
  return parsePinCommand(Buffer.from(payload).toString('utf8'))
}
