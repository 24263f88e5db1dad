import type { TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Counters } from '#src/core/counters.js'
import type { Pins } from '#src/core/ports.js'
import type { Rule } from '#src/core/rule.js'
import type { TraceEvent } from '#src/core/trace.js'
import { Dispatcher } from '#src/rules/dispatcher.js'
import { MemoryLog } from './memory-log.js'
import { MemoryHub, plainRunner } from './rules.js'

export interface RulesWorldOptions {
  readonly hub?: MemoryHub
  readonly isDebug?: boolean
  readonly pins?: Pick<Pins, 'state'>
  /** Whether somebody traces from the start. */
  readonly isTraced?: boolean
}

/** A dispatcher with a hub in memory, running these rules until the test ends. */
export async function rulesWorld(
  context: TestContext,
  rules: readonly Rule[],
  options: RulesWorldOptions = {},
) {
  const hub = options.hub ?? new MemoryHub()
  const log = new MemoryLog()
  const counters = new Counters()
  const told: TraceEvent[] = []
  const tracer = {
    isOn: options.isTraced ?? false,
    tell: (event: TraceEvent) => void told.push(event),
    follow: () => () => {},
  }
  const dispatcher = new Dispatcher({
    hub,
    actions: plainRunner,
    pins: options.pins ?? { state: () => 'off' },
    identity: { host: 'pi', ip: '10.0.0.2' },
    log,
    counters,
    isDebug: () => options.isDebug ?? false,
    tracer,
  })
  dispatcher.start()
  await dispatcher.apply(rules)
  context.after(() => dispatcher.close(0))
  return {
    hub,
    log,
    counters,
    dispatcher,
    told,
    tracer,
    publish: (topic: string, payload = '') => hub.publish({ topic, payload }),
  }
}

/** Lets all steps run that are done at once. */
export async function settle(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await turn()
}
