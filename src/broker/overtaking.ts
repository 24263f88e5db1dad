import type { Aedes, Client } from 'aedes'

interface Numbered {
  readonly brokerCounter?: number
}

type Listener = (packet: Numbered, done: () => void) => void

/** The part of aedes' emitter by which a client listens. */
interface Emitter {
  on(topic: string, listener: Listener, done?: () => void): unknown
  removeListener(topic: string, listener: Listener, done?: () => void): unknown
}

/**
 * Lets every message reach a client, whichever way round two of them come. aedes numbers messages when they are
 * published and gives a client none with a lower number than its last one: that is how it gives a message once to a
 * client with overlapping subscriptions. But a message of QoS 0 overtakes one of QoS 1 that is being stored, which
 * then would be thrown away. Here only the number of the message at hand counts as given.
 * @returns to be called with each client before its CONNECT is answered
 */
export function allowOvertaking(aedes: Aedes): (client: Client) => void {
  const { mq: emitter } = aedes as unknown as { readonly mq: Emitter } // the types of aedes leave it out
  const on = emitter.on.bind(emitter)
  const removeListener = emitter.removeListener.bind(emitter)
  const numbering = new WeakMap<Listener, Listener>()
  let atHand = 0

  emitter.on = (topic, listener, done) => {
    let numbered = numbering.get(listener)
    if (numbered === undefined) {
      numbered = (packet, delivered) => {
        atHand = packet.brokerCounter ?? 0
        listener.call(emitter, packet, delivered)
      }
      numbering.set(listener, numbered)
    }
    return on(topic, numbered, done)
  }
  emitter.removeListener = (topic, listener, done) =>
    removeListener(topic, numbering.get(listener) ?? listener, done)

  return (client) => {
    let last = 0
    // aedes looks into it and writes to it before the listener returns
    Object.defineProperty((client as Client & { duplicates: object }).duplicates, aedes.id, {
      configurable: true,
      enumerable: true,
      get: () => (last === atHand ? last : 0),
      set: (counter: number) => {
        last = counter
      },
    })
  }
}
