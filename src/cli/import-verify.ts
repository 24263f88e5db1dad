import type { Door } from '../moving/move.ts'
import { type Credentials, connectTo } from './import-doors.ts'
import { untilQuiet } from './import-retained.ts'

/** Which of these topics have no retained message at a door. @throws DamselflyError when it does not answer */
export async function missingOf(
  topics: ReadonlySet<string>,
  door: Door,
  credentials: Credentials | undefined,
): Promise<readonly string[]> {
  if (topics.size === 0) return []
  const missing = new Set(topics)
  const client = await connectTo(door, credentials, 4)
  try {
    // also without RETAIN: whoever publishes there now says that there is something
    client.on('message', (topic) => missing.delete(topic))
    await client.subscribeAsync('#', { qos: 0 })
    await untilQuiet(() => topics.size - missing.size, topics.size)
    return [...missing]
  } finally {
    client.end(true)
  }
}
