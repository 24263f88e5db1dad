import type { Paint } from './terminal.ts'

/** Rows of texts below their titles, as wide as need be; `paintCell` may colour a cell that has its width already. */
export function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  paint: Paint,
  paintCell: (text: string, column: number, row: number) => string = (text) => text,
): string[] {
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const padded = (row: readonly string[]): string[] =>
    row.map((text, column) => (column === row.length - 1 ? text : text.padEnd(widths[column] ?? 0)))
  return [
    padded(titles)
      .map((text) => paint('dim', text))
      .join('  '),
    ...rows.map((row, index) =>
      padded(row)
        .map((text, column) => paintCell(text, column, index))
        .join('  ')
        .trimEnd(),
    ),
  ]
}
