/** Whose rights are asked for. */
export interface Who {
  /** Undefined: nobody by name. */
  readonly user: string | undefined
  readonly clientId: string
}

/** What would be a wildcard in a filter, or a level more. */
const unfit = /[+#/]/

/**
 * The filter of a `pattern` line in which `%u` or `%c` stand. A name or client id with `+`, `#` or `/` fits into none:
 * it would be more than one level, or match those of others.
 */
export class Template {
  readonly usesUser: boolean
  readonly usesClient: boolean
  readonly #filter: string

  private constructor(filter: string) {
    this.#filter = filter
    this.usesUser = filter.includes('%u')
    this.usesClient = filter.includes('%c')
  }

  /** Undefined for a filter without placeholders. */
  static of(filter: string): Template | undefined {
    const template = new Template(filter)
    return template.usesUser || template.usesClient ? template : undefined
  }

  /** A filter that matches at least what the filled one does, whoever fills it, as long as it fits. */
  get candidates(): string {
    return this.#levels.map((level) => (hasPlaceholder(level) ? '+' : level)).join('/')
  }

  /** The same for fillings that do not fit, too. */
  get wideCandidates(): string {
    const levels = this.#levels
    return [...levels.slice(0, levels.findIndex(hasPlaceholder)), '#'].join('/')
  }

  /** Whether this client's name or id does not fit. */
  isUnfitFor({ user, clientId }: Who): boolean {
    return (
      (this.usesUser && user !== undefined && unfit.test(user)) || (this.usesClient && unfit.test(clientId))
    )
  }

  /** The filter for this client, whom it fits; undefined for one without a name, where there is one in it. */
  fill({ user, clientId }: Who): string | undefined {
    if (this.usesUser && user === undefined) return undefined
    // in one go: there may be a placeholder in the name itself
    return this.#filter.replaceAll(/%[uc]/g, (placeholder) =>
      placeholder === '%u' ? (user ?? '') : clientId,
    )
  }

  get #levels(): readonly string[] {
    return this.#filter.split('/')
  }
}

function hasPlaceholder(level: string): boolean {
  return level.includes('%u') || level.includes('%c')
}
