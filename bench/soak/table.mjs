// What is said at the end: figures in tables, and what is judged in sentences.
import { number } from '../statistics.mjs'
import { flat } from './memory.mjs'

/** @param result what soak.mjs has found. @returns text */
export function tableOf(result) {
  const { messages, acts, faults, memory, life, latency } = result
  const lines = [
    `${number(result.minutes)} minutes, ${result.restarts} restarts, ${result.reconnects} reconnects of clients of ours, ${result.vandals} vandals`,
    '',
    ...columns(
      ['messages', 'sent', 'acked', 'not kept', 'received', 'lost', 'twice', 'again', 'out of order'],
      messages.map((row) => [
        `QoS ${row.qos}`,
        row.sent,
        row.qos === 0 ? '' : row.acknowledged,
        row.qos === 0 ? '' : row.unsure,
        row.received,
        row.qos === 0 ? `${row.lostQuietly} of ${row.judged}` : row.pending,
        row.qos === 2 ? row.twice : '',
        row.again,
        row.outOfOrder,
      ]),
    ),
    '  received: by all readers together; lost of QoS 0: of those that no fault was near of; again: of QoS 1, as it may be',
    '',
    ...columns(
      ['rules and the like', 'done', 'effects', 'judged', 'without', 'median ms', 'p99 ms', 'most ms'],
      Object.entries(acts).map(([name, act]) => [
        name,
        act.done,
        act.effects,
        act.judged,
        act.without,
        ...(act.latency === undefined ? ['', '', ''] : Object.values(act.latency).map(rounded)),
      ]),
    ),
    `  rows in the database: ${result.rows} of ${result.readings}; pulses counted: ${result.pulsesCounted} of ${result.pulses}; the webhook: ${result.hook.requests} requests, ${result.hook.failed} of them answered with 503`,
    '  a judged act is one that no fault was near of; a webhook may fail, for its server does',
    '',
    ...columns(['faults', 'times'], Object.entries(faults)),
    '',
    ...columns(
      [`life ${life.number}, ${number(life.minutes)} minutes`, 'start', 'middle', 'end'],
      [
        ['resident memory, MB', memory.startMb, memory.middleMb, memory.endMb].map(rounded),
        ['heap, MB', ...life.heapMb].map(rounded),
        ['files and sockets', ...life.fds],
        ['threads', ...life.threads],
        ['store, kB', ...life.storeKb].map(rounded),
        ['database, kB', ...life.databaseKb].map(rounded),
        ['event loop late, p99 of 20 s, ms', ...life.delayMs].map(rounded),
      ],
    ),
    `  memory goes by ${rounded(memory.mbPerHour)} MB an hour in the second half; ${whenFlat(memory)}`,
    `  echo of a rule, no fault near: median ${rounded(latency.p50Ms)} ms, p99 ${rounded(latency.p99Ms)} ms, most ${rounded(latency.maxMs)} ms`,
    `  bounds that were reached: ${counted(life.limits)}`,
    '',
  ]
  return lines.join('\n')
}

/** @param verdicts [isGood, sentence] */
export function verdictsOf(verdicts) {
  return verdicts.map(([isGood, sentence]) => `${isGood ? 'PASS' : 'FAIL'}: ${sentence}`).join('\n')
}

function whenFlat({ isJudged, isFlat }) {
  if (!isJudged) return `judged from ${flat.judgedMinutes} minutes of a life on`
  return isFlat ? 'flat' : 'not flat'
}

function counted(limits) {
  const reached = Object.entries(limits).map(([name, count]) => `${name} ${count}`)
  return reached.length === 0 ? 'none' : reached.join(', ')
}

function columns(head, rows) {
  const table = [head, ...rows].map((row) => row.map((cell) => `${cell ?? ''}`))
  const widths = head.map((_, index) => Math.max(...table.map((row) => (row[index] ?? '').length)))
  return table.map((row) =>
    row
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[index])))
      .join('  ')
      .trimEnd(),
  )
}

function rounded(value) {
  if (typeof value !== 'number' || !Number.isFinite(value)) return value ?? ''
  return value >= 1_000 ? number(value) : value.toFixed(1)
}
