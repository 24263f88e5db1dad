import { translateBridge } from './bridge-settings.ts'
import { translateGeneral } from './general-settings.ts'
import { translateListeners } from './listener-settings.ts'
import { lastOf, type MosquittoConf, type Statement } from './mosquitto-conf.ts'
import type { Draft, Move } from './move.ts'
import { type Outcome, Outcomes } from './outcome.ts'

/** Says what a configuration of mosquitto is here. Touches no file. @param host the name of this machine */
export function translate(conf: MosquittoConf, host: string): Move {
  const outcomes = new Outcomes()
  const draft: Draft = {
    conf,
    host,
    env: new Map(),
    listeners: new Map(),
    bridges: new Map(),
    copies: [],
    secrets: [],
    references: [],
    outcomes,
    notes: [],
  }
  const doors = translateListeners(draft)
  translateGeneral(draft)
  for (const bridge of conf.bridges) translateBridge(draft, bridge)
  for (const statement of conf.statements) if (!outcomes.has(statement)) tellRest(draft, statement)
  const order = new Map(conf.statements.map((statement, index) => [statement, index]))
  const place = ({ statement }: Outcome): number => order.get(statement) ?? 0
  const { env, listeners, bridges, copies, secrets, references, notes } = draft
  return {
    env,
    listeners,
    bridges,
    copies,
    secrets,
    references,
    notes,
    doors,
    queueMessagesMax: queueOf(conf),
    outcomes: outcomes.list.sort((one, other) => place(one) - place(other)),
  }
}

/** What the table says of options that nobody took. */
function tellRest({ outcomes }: Draft, statement: Statement): void {
  const { option, value, name } = statement
  if (option === undefined)
    return outcomes.lost(statement, `mosquitto knows no ${name} either; remove it or mend it`)
  const { fate } = option
  if (value === '')
    return outcomes.lost(statement, `${name} has no value, and mosquitto refuses that; mend it`)
  if (fate.kind === 'same') {
    if (fate.unless?.values.includes(value)) return outcomes.lost(statement, fate.unless.what)
    return outcomes.same(statement, fate.here)
  }
  if (fate.kind === 'lost') {
    if (fate.unless?.includes(value)) return outcomes.same(statement, 'nothing is different here')
    return outcomes.lost(statement, fate.what)
  }
  outcomes.lost(statement, `${name} stands where mosquitto does not take it; what it says is ${fate.here}`)
}

function queueOf({ general }: MosquittoConf): number | undefined {
  const value = Number(lastOf(general, 'max_queued_messages')?.value)
  return Number.isInteger(value) && value >= 0 ? value : undefined
}
