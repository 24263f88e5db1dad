import type { ChangeSite, Needs } from '../../core/memory.ts'

/** Collects what an expression needs a memory for, while it is compiled. */
export class NeedsList {
  readonly lastTopics = new Set<string>()
  readonly windowsMs = new Set<number>()
  readonly changes = new Map<string, ChangeSite>()
  isCounting = false
  /** Whether the expression asks for the state of a pin. */
  isAskingPins = false

  /** Undefined when the event is enough. */
  get needs(): Needs | undefined {
    const { lastTopics, windowsMs, changes, isCounting, isAskingPins } = this
    if (!isAskingPins && !isCounting && lastTopics.size === 0 && changes.size === 0) return undefined
    return {
      lastTopics: [...lastTopics],
      isCounting,
      windowsMs: [...windowsMs],
      changes: [...changes.values()],
    }
  }
}
