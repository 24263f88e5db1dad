import type { Event } from '#src/core/event.js'
import { decodePayload } from '#src/core/message.js'

/** The event for a message with this payload, as the examples in docs/expressions.md have it. */
export function eventWith(payload: string | Uint8Array, changes: Partial<Event> = {}): Event {
  const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload
  return {
    topic: 'home/kitchen/set',
    levels: ['home', 'kitchen', 'set'],
    payload: decodePayload(bytes),
    bytes,
    qos: 1,
    retain: false,
    client: 'switch-1',
    now: new Date(2031, 4, 9, 21, 30),
    host: 'pi',
    ip: '192.0.2.10',
    ...changes,
  }
}
