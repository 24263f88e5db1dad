import type { ClientReport, RefusalReport, SubscriptionReport } from '../core/broker-view.ts'
import { DamselflyError } from '../core/errors.ts'
import { ask } from './ask.ts'
import { clientDetails, clientLines, sortedClients } from './client-table.ts'
import { paintFor, plainJson } from './terminal.ts'

/**
 * Shows who is connected, and who has a session here and is away; of one client all that is known.
 * @throws DamselflyError `DAEMON_UNREACHABLE`, `CONNECTION_REFUSED`, also when there is no such client
 */
export async function clients(id: string | undefined, options: { readonly json?: boolean }): Promise<void> {
  const lines = id === undefined ? await all(options) : await one(id, options)
  console.log(lines.join('\n'))
}

async function all({ json }: { readonly json?: boolean }): Promise<string[]> {
  // one that comes back meanwhile is told twice
  const found = new Map<string, ClientReport>()
  let refusals: readonly RefusalReport[] = []
  let isWhole = false
  for await (const answer of ask({ get: 'clients' })) {
    if (!('clients' in answer)) continue
    for (const client of answer.clients) found.set(client.id, client)
    refusals = answer.refusals ?? []
    isWhole = !answer.more
    if (isWhole) break
  }
  if (!isWhole) throw stopped()
  const reports = [...found.values()]
  if (json === true) return [plainJson({ clients: sortedClients(reports), refusals })]
  return clientLines(reports, refusals, paintFor(process.stdout))
}

async function one(id: string, { json }: { readonly json?: boolean }): Promise<string[]> {
  const subscriptions: SubscriptionReport[] = []
  for await (const answer of ask({ get: 'client', id })) {
    if (!('client' in answer)) continue
    subscriptions.push(...answer.subscriptions)
    if (answer.more) continue
    if (json === true) return [plainJson({ ...answer.client, subscriptions })]
    return clientDetails(answer.client, subscriptions, paintFor(process.stdout))
  }
  throw stopped()
}

function stopped(): DamselflyError {
  return new DamselflyError('DAEMON_UNREACHABLE', 'Damselfly has stopped while it was asked')
}
