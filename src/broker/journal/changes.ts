/** What a batch does to one key. */
export interface Change<V> {
  /** Undefined: it is deleted. */
  value: V | undefined
  /** Whether the store has never heard of the key: then it need not hear of its deletion either. */
  readonly isNew: boolean
}

/** What a batch does to keys of one kind. What comes and goes within it leaves no trace. */
export class Changes<K, V> {
  #byKey: Map<K, Change<V>> | undefined // most are never used

  /**
   * @param isNew whether the key is in no batch before this one
   * @returns the value that is not written now, if there was one
   */
  put(key: K, value: V, isNew: boolean): V | undefined {
    this.#byKey ??= new Map()
    const change = this.#byKey.get(key)
    const before = change?.value
    if (change === undefined) this.#byKey.set(key, { value, isNew })
    else change.value = value
    return before
  }

  /** @returns the value that is not written now, if there was one */
  delete(key: K): V | undefined {
    const change = this.#byKey?.get(key)
    const before = change?.value
    if (change === undefined) {
      this.#byKey ??= new Map()
      this.#byKey.set(key, { value: undefined, isNew: false })
    } else if (change.isNew) this.#byKey?.delete(key)
    else change.value = undefined
    return before
  }

  /** In the order in which the keys were first named. */
  get all(): Iterable<readonly [K, Change<V>]> {
    return this.#byKey ?? []
  }
}
