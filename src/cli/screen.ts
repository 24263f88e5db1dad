/** Lines on a terminal that are written over each time; what would not fit is left out, and said so. */
export class Screen {
  readonly #stream: NodeJS.WriteStream
  #height = 0

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  show(lines: readonly string[]): void {
    // a terminal that does not know its size says 0
    const room = Math.max(1, (this.#stream.rows || 24) - 1)
    const fitting =
      lines.length <= room ? lines : [...lines.slice(0, room - 1), `… ${lines.length - room + 1} lines more`]
    const up = this.#height === 0 ? '' : `\x1b[${this.#height}A` // ECMA-48 CUU, then ED: up, and all below away
    // no wrapping (DECAWM) meanwhile: a line that is too long is cut, and the count of lines holds
    this.#stream.write(`\x1b[?7l${up}\x1b[J${fitting.join('\n')}\n\x1b[?7h`)
    this.#height = fitting.length
  }
}
