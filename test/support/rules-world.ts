import type { TestContext } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Counters } from '#src/core/counters.js'
import type { Event } from '#src/core/event.js'
import { limits } from '#src/core/limits.js'
import type { Pins } from '#src/core/ports.js'
import type { Rule, Step } from '#src/core/rule.js'
import type { TraceEvent } from '#src/core/trace.js'
import { Dispatcher } from '#src/rules/dispatcher.js'
import { MemoryLog } from './memory-log.js'
import { MemoryHub, plainRunner, step } from './rules.js'

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

/** A step that hangs for topics under `t/` of `holdLanes`, until `release`; for others it does what it is to do. */
export function holdingStep(run: (event: Event) => void): {
  readonly step: Step
  readonly release: () => void
} {
  let release = (): void => {}
  const held = new Promise<void>((resolve) => (release = resolve))
  return {
    step: step((event) => (event.topic.startsWith('t/held') ? held : run(event))),
    release: () => release(),
  }
}

/** Takes all lanes of a rule with a `holdingStep`, so that whatever else comes has to wait. */
export async function holdLanes(publish: (topic: string, payload: string) => Promise<void>): Promise<void> {
  for (let lane = 0; lane < limits.ruleLanesMax; lane++) {
    await publish(`t/held${lane}`, '1')
    await turn() // in a turn that has taken long it would wait in the queue, and take a place there
  }
}
