import type { TopicReport } from '../control/protocol.ts'
import { table } from './table.ts'
import { localTime, type Paint, plain, shortened } from './terminal.ts'

const titles = ['TOPIC', 'A SECOND', 'LAST VALUE', 'FROM', 'AT']
const valueCharsMax = 40
const nameCharsMax = 60
const clientCharsMax = 30

interface Node {
  readonly children: Map<string, Node>
  report?: TopicReport
}

/**
 * Topics as a tree: a level below its level, and levels that have but one below them in one line. `R` stands before a
 * value that is retained.
 */
export function topicTree(reports: Iterable<TopicReport>, leftOut: number, paint: Paint): string[] {
  const root: Node = { children: new Map() }
  for (const report of reports) put(root, report)
  const rows: { readonly cells: readonly string[]; readonly isLive: boolean }[] = []
  const walk = (node: Node, name: string, depth: number): void => {
    let [below, shown] = [node, name]
    while (below.report === undefined && below.children.size === 1) {
      const [[level, child]] = below.children as unknown as [[string, Node]]
      ;[below, shown] = [child, `${shown}/${level}`]
    }
    const label = `${'  '.repeat(depth)}${shortened(shown, nameCharsMax)}`
    rows.push({ cells: [label, ...cellsOf(below.report)], isLive: (below.report?.rate ?? 0) > 0 })
    for (const [level, child] of sorted(below.children)) walk(child, level, depth + 1)
  }
  for (const [level, child] of sorted(root.children)) walk(child, level, 0)
  const lines =
    rows.length === 0
      ? ['nothing yet']
      : table(
          titles,
          rows.map(({ cells }) => cells),
          paint,
          (text, column, row) => (column === 1 && rows[row]?.isLive ? paint('green', text) : text),
        )
  return leftOut === 0
    ? lines
    : [...lines, `${leftOut} messages of further topics are not shown: name a filter`]
}

function put(root: Node, report: TopicReport): void {
  let node = root
  for (const level of report.topic.split('/')) {
    let child = node.children.get(level)
    if (child === undefined) {
      child = { children: new Map() }
      node.children.set(level, child)
    }
    node = child
  }
  node.report = report
}

function sorted(children: ReadonlyMap<string, Node>): [string, Node][] {
  return [...children].sort(([one], [other]) => (one < other ? -1 : 1))
}

function cellsOf(report: TopicReport | undefined): string[] {
  if (report === undefined) return []
  const { rate, client, at, isRetained } = report
  return [
    rate === 0 ? '' : String(rate),
    `${isRetained ? 'R ' : '  '}${shownValue(report)}`,
    shortened(client, clientCharsMax),
    at === undefined ? '' : localTime(at),
  ]
}

function shownValue({ text, bytes }: TopicReport): string {
  if (bytes === 0) return '(empty)'
  if (text === undefined) return `(${bytes} bytes that are no text)`
  const shown = shortened(text, valueCharsMax)
  return shown.endsWith('…') || Buffer.byteLength(text) < bytes ? `${shown} (${bytes} bytes)` : plain(shown)
}
