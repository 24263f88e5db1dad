/** Topic aliases towards one client: the first topics that it is sent get one each, for the life of the connection. */
export class TopicAliases {
  readonly #maximum: number
  readonly #aliases = new Map<string, number>()

  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /** The alias to send; `isKnown` when the client has it already and the topic may be left out. Undefined for none. */
  aliasOf(topic: string): { readonly alias: number; readonly isKnown: boolean } | undefined {
    const known = this.#aliases.get(topic)
    if (known !== undefined) return { alias: known, isKnown: true }
    if (this.#aliases.size >= this.#maximum) return undefined
    const alias = this.#aliases.size + 1
    this.#aliases.set(topic, alias)
    return { alias, isKnown: false }
  }

  /** The packet that would have told the client was not sent. */
  forget(topic: string): void {
    this.#aliases.delete(topic)
  }
}
