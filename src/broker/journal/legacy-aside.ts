import { writeFile } from 'node:fs/promises'
import type { LegacyState } from './legacy-state.ts'
import type { StoredMessage } from './records.ts'

/**
 * Writes what a version up to 0.2 left in the store to a file beside it, one JSON object a line: topic, payload (base64) and
 * QoS, with the client that a message waits for; for a subscription the client, filter and QoS.
 * @returns the file's path
 * @throws a file's error
 */
export async function setLegacyAside(path: string, legacy: LegacyState): Promise<string> {
  const aside = `${path}.older-${new Date().toISOString().replaceAll(':', '')}.jsonl`
  const lines: object[] = legacy.retained.map((message) => ({ retain: true, ...fieldsOf(message) }))
  for (const { clientId: client, subscriptions, deliveries } of legacy.sessions) {
    for (const { filter, qos } of subscriptions) lines.push({ client, filter, qos })
    for (const { message } of deliveries) lines.push({ client, ...fieldsOf(message) })
  }
  await writeFile(aside, lines.map((line) => `${JSON.stringify(line)}\n`).join(''), {
    mode: 0o600,
    flush: true,
  })
  return aside
}

function fieldsOf({ topic, payload, qos }: StoredMessage): object {
  return { topic, payload: Buffer.from(payload).toString('base64'), qos }
}
