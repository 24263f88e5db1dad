/** Who publishes when no client does: rules, actions, pins. */
export const ownClientId = 'damselfly'

export type QoS = 0 | 1 | 2

/** A message to publish. A string payload is sent as UTF-8. */
export interface OutgoingMessage {
  readonly topic: string
  readonly payload: Uint8Array | string
  /** 0 unless told. */
  readonly qos?: QoS
  /** False unless told. */
  readonly retain?: boolean
  /** The rules, first to last, that led to this message; lets the dispatcher cut a loop. */
  readonly chain?: readonly string[]
}

/** A message as the broker hands it to a subscriber in the process. */
export interface Message {
  readonly topic: string
  /** Read-only: other subscribers share these bytes. */
  readonly payload: Uint8Array
  /** The payload as text, where the hub can tell it without a copy of the bytes; undefined says nothing about them. */
  readonly text?: string | undefined
  readonly qos: QoS
  /** Whether it comes from the retained store because we subscribed, not from a publish just now [MQTT-3.3.1-8]. */
  readonly retain: boolean
  /** The client id of the publisher; `damselfly` for messages of rules and pins. */
  readonly client: string
  readonly chain: readonly string[]
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * What a payload means: JSON where it is JSON, else text where it is UTF-8, else the bytes themselves.
 * `on` is the text "on", `21.5` the number 21.5, an empty payload the text "".
 */
export function decodePayload(payload: Uint8Array): unknown {
  let text: string
  try {
    text = utf8.decode(payload)
  } catch {
    return payload // @NOTE not UTF-8 is no error: MQTT payloads are arbitrary bytes [MQTT-3.3.3]
  }
  return decodeText(text)
}

/** What a payload means that is text: JSON where it is JSON, else the text. */
export function decodeText(text: string): unknown {
  if (!mayBeJson(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

// An exception costs a hundred times what this look costs, and most plain texts fail it.
function mayBeJson(text: string): boolean {
  const first = text.trimStart()[0]
  return first !== undefined && '{["-0123456789tfn'.includes(first)
}
