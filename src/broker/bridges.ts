import { type Bridge as BridgeSettings, type BridgeState, isSameBridge } from '../core/bridge.ts'
import { Bridge, type BridgePace, type BridgeParts } from './bridge.ts'

const usualPace: BridgePace = {
  connectMs: 15_000,
  answerMs: 15_000,
  steadyMs: 10_000,
  firstMs: 30_000,
  stopMs: 2_000,
}

export interface BridgesParts extends Omit<BridgeParts, 'settings' | 'pace' | 'subscribed'> {
  /** Changed by tests only. */
  readonly pace?: Partial<BridgePace> | undefined
}

/** All bridges, by name. */
export class Bridges {
  readonly #parts: Omit<BridgeParts, 'settings'>
  readonly #bridges = new Map<string, Bridge>()

  constructor(parts: BridgesParts) {
    this.#parts = { ...parts, pace: { ...usualPace, ...parts.pace } }
  }

  /** In the order in which they were made. */
  get states(): readonly BridgeState[] {
    return [...this.#bridges.values()].map(({ state }) => state)
  }

  /**
   * Has exactly these from now on. One that has changed begins anew, with the messages that wait for it; what waits for
   * one that is gone is dropped. The others notice nothing.
   */
  async apply(wanted: readonly BridgeSettings[]): Promise<void> {
    const names = new Set(wanted.map(({ name }) => name))
    const gone = [...this.#bridges.values()].filter(({ settings }) => !names.has(settings.name))
    const changed = wanted.filter((settings) => {
      const bridge = this.#bridges.get(settings.name)
      return bridge === undefined || !isSameBridge(bridge.settings, settings)
    })
    await Promise.all(gone.map((bridge) => this.#end(bridge, true)))
    await Promise.all(
      changed.map(async (settings) => {
        const before = this.#bridges.get(settings.name)
        if (before !== undefined) await this.#end(before, false)
        const bridge = new Bridge({ ...this.#parts, settings, subscribed: before?.subscribed })
        this.#bridges.set(settings.name, bridge)
        bridge.start()
      }),
    )
    this.#forget(names)
  }

  /** What waits for them is kept for the next start. */
  async close(): Promise<void> {
    await Promise.all([...this.#bridges.values()].map((bridge) => this.#end(bridge, false)))
  }

  async #end(bridge: Bridge, isForGood: boolean): Promise<void> {
    this.#bridges.delete(bridge.settings.name)
    await bridge.close(isForGood)
  }

  /** Ends the sessions of bridges that are no more, also of those that an earlier run of the process had. */
  #forget(names: ReadonlySet<string>): void {
    const { sessions, log } = this.#parts
    for (const name of sessions.bridgeNames) {
      if (names.has(name)) continue
      const messages = sessions.endBridge(name)
      log.info({ bridge: name, messages }, 'bridge removed: what waited for it is dropped')
    }
  }
}
