import type { ActionLogger } from '../core/action.ts'
import { DamselflyError } from '../core/errors.ts'
import type { OutgoingMessage } from '../core/message.ts'
import { isPinCommand } from '../core/pin.ts'
import type { Logger, PinCause, Pins } from '../core/ports.ts'
import { plainBytes } from './plain.ts'

/**
 * A message from an action. Actions may be plain JavaScript: what they hand over is checked here, before
 * it reaches the broker. A payload that is neither text nor bytes is sent as JSON.
 * @throws DamselflyError `OPTIONS_INVALID`
 */
export function checkedMessage(message: OutgoingMessage, chain: readonly string[]): OutgoingMessage {
  if (typeof message !== 'object' || message === null)
    throw invalid('publish', 'the message', message, 'an object with a topic')
  const { topic, payload, qos = 0, retain = false } = message
  if (typeof topic !== 'string') throw invalid('publish', 'topic', topic, 'a text such as home/lamp')
  if (![0, 1, 2].includes(qos)) throw invalid('publish', 'qos', qos, '0, 1 or 2')
  return { topic, payload: plainBytes(payload), qos, retain: Boolean(retain), chain }
}

/** The pins for an action; each command carries what led to it. */
export function checkedPins(pins: Pins, cause: PinCause): Pins {
  return {
    set(pin, command, options) {
      if (!isPinCommand(command))
        throw invalid('gpio.set', 'command', command, '"on", "off", "toggle", "blink" or a number')
      pins.set(pin, command, { ...options, ...cause })
    },
    pulse: async (pin, ms, signal) => {
      if (!(Number.isFinite(ms) && ms > 0)) throw invalid('gpio.pulse', 'ms', ms, 'milliseconds above 0')
      await pins.pulse(pin, ms, signal, cause)
    },
    state: (pin) => pins.state(pin),
  }
}

/** A log whose lines all have these fields. */
export function withFields(log: Logger, own: object): ActionLogger {
  const write =
    (level: keyof Logger) =>
    (fields: object | string, message = ''): void => {
      if (typeof fields === 'string') log[level](own, fields)
      else log[level]({ ...own, ...fields }, message)
    }
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

function invalid(call: string, what: string, found: unknown, expected: string): DamselflyError {
  const message = `${call}: ${what} is ${JSON.stringify(found) ?? typeof found}; expected ${expected}`
  return new DamselflyError('OPTIONS_INVALID', message)
}
