// What edges.py writes, read: for the job inside, and outside for what came after the job's end.

const words = (line) => line.trim().split(' ')

export class EdgeLog {
  #rest = ''
  #levels = []
  #holders = []
  #pauses = []
  #both = []

  /** More of its text. */
  add(text) {
    const parts = `${this.#rest}${text}`.split('\n')
    this.#rest = parts.pop()
    for (const part of parts) this.#take(...words(part))
  }

  #take(what, ...rest) {
    const [first, second, third, fourth] = rest.map(Number)
    if (what === 'begin') this.#beginMs = first
    else if (what === 'level')
      this.#levels.push({ afterMs: this.#beginMs, byMs: this.#beginMs, line: first, level: second })
    else if (what === 'edge') this.#levels.push({ afterMs: first, byMs: second, line: third, level: fourth })
    else if (what === 'pause') this.#pauses.push({ afterMs: first, byMs: second })
    else if (what === 'both') this.#both.push(first)
    else if (['took', 'freed', 'changed'].includes(what))
      this.#holders.push({ what, atMs: first, line: second })
  }

  #beginMs = 0

  /** The edges of a line, each with the two looks between which it was. */
  edges(line, sinceMs = 0) {
    return this.#levels.filter(
      (edge) => edge.line === line && edge.byMs >= sinceMs && edge.afterMs < edge.byMs,
    )
  }

  /** The level at a time, then those that followed, with their times after that. */
  changes(line, sinceMs, untilMs = Number.POSITIVE_INFINITY) {
    const all = this.#levels.filter((edge) => edge.line === line)
    const before = all.findLast(({ byMs }) => byMs < sinceMs) ?? all[0]
    const later = all.filter((edge) => edge.byMs >= sinceMs && edge.byMs <= untilMs && edge !== before)
    return [before, ...later]
      .filter((edge) => edge !== undefined)
      .map(({ byMs, level }) => ({ atMs: Math.max(0, byMs - sinceMs), level }))
  }

  /** Who took and freed it. */
  holders(line, sinceMs, untilMs = Number.POSITIVE_INFINITY) {
    return this.#holders
      .filter((event) => event.line === line && event.atMs >= sinceMs && event.atMs <= untilMs)
      .map(({ what, atMs }) => ({ what, atMs: atMs - sinceMs }))
  }

  /** When the first two lines were high together. */
  both(sinceMs) {
    return this.#both.filter((atMs) => atMs >= sinceMs)
  }

  /** The longest time between two looks. */
  pauseMs(sinceMs, untilMs = Number.POSITIVE_INFINITY) {
    const pauses = this.#pauses.filter(({ afterMs, byMs }) => byMs >= sinceMs && afterMs <= untilMs)
    return Math.max(10, ...pauses.map(({ afterMs, byMs }) => byMs - afterMs))
  }

  /** One line of text of what a line did. */
  text(pin, line, sinceMs, untilMs) {
    const events = [
      ...this.changes(line, sinceMs, untilMs).map(({ atMs, level }) => ({ atMs, what: `${level}` })),
      ...this.holders(line, sinceMs, untilMs),
    ].sort((a, b) => a.atMs - b.atMs)
    const shown = events.length > 24 ? [...events.slice(0, 20), { what: '…' }, ...events.slice(-3)] : events
    const text = shown
      .map(({ what, atMs }) => (atMs === undefined ? what : `${what} at ${Math.round(atMs)}`))
      .join(', ')
    return `    ${pin} GPIO${line}: ${text} ms (looks at most ${Math.round(this.pauseMs(sinceMs, untilMs))} ms apart)`
  }
}

/** Judges what the lines did from when the machine was told to go until its kernel went, by what had come outside. */
export function left(wire, how, lines, promise) {
  const boot = wire.split(/^(?=begin )/m).find((text) => text.includes(` ${how}`)) ?? ''
  const sinceMs = Number(/^leave ([\d.]+)/m.exec(boot)?.[1])
  const log = new EdgeLog()
  log.add(boot)
  const levels = (pin) =>
    log
      .changes(lines[pin], sinceMs)
      .map(({ level }) => level)
      .join('')
  promise(`a clean ${how}: on_stop`, /^01/.test(levels('relay')) && /^01/.test(levels('valve')))
  for (const pin of ['relay', 'valve', 'fan', 'lamp']) console.log(log.text(pin, lines[pin], sinceMs))
}
