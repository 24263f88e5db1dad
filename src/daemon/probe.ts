import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Hub } from '../core/ports.ts'

/** Seen by nobody who does not ask for it by name [MQTT-4.7.2-1]. */
const probeTopic = '$damselfly/probe'

/**
 * Resolves when a message has gone through the broker and come back; when the broker is elsewhere, in the next turn,
 * for a restart of ours would not bring that one back.
 */
export async function probe(hub: Hub, signal: AbortSignal): Promise<void> {
  if (hub.remote !== undefined) return await nextTurn()
  let end = (): void => {}
  const onAbort = (): void => end()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await new Promise<void>((resolve, reject) => {
      end = hub.subscribe(probeTopic, () => resolve())
      hub.publish({ topic: probeTopic, payload: '' }).catch(reject)
    })
  } finally {
    end()
    signal.removeEventListener('abort', onAbort)
  }
}
