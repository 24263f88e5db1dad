import type { Properties } from './wire/properties.ts'

/**
 * The user property of CONNECT and CONNACK in which two Damselflies that are bridged tell each other who they are: by it
 * they know what must not go back. Other brokers do not look at it.
 */
export const bridgeProperty = 'damselfly-bridge'

/** Who the other side says it is; undefined when it does not. */
export function peerOf({ userProperties = [] }: Properties): string | undefined {
  return userProperties.find(([name]) => name === bridgeProperty)?.[1]
}
