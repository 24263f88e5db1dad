import { reasonOf } from '../core/errors.ts'
import type { BrokerDoor } from '../core/ports.ts'
import { linkInWords } from '../core/remote-broker.ts'
import { probe } from './probe.ts'

const probeMs = 2_000

/** What is out of order with the broker, in words: it listens nowhere, or a message does not come through it. */
export async function healthOf(broker: BrokerDoor): Promise<readonly string[]> {
  const { addresses, link } = broker.state
  const problems: string[] = []
  if (link === undefined && addresses.length === 0) problems.push('it listens nowhere')
  if (link !== undefined && !link.isConnected) problems.push(`the broker is ${linkInWords(link)}`)
  const end = new AbortController()
  const late = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`it took more than ${probeMs} ms`)), probeMs)
    end.signal.addEventListener('abort', () => clearTimeout(timer))
  })
  try {
    await Promise.race([probe(broker.hub, end.signal), late])
  } catch (error) {
    problems.push(`a message did not come through the broker: ${reasonOf(error)}`)
  } finally {
    end.abort()
  }
  return problems
}
