import { parse } from 'dotenv'
import type { ProblemList } from './problem-list.ts'
import type { SourceText } from './source-text.ts'

/** One `KEY=value` of `.env`: what dotenv makes of it, and where it stands. */
export interface DotenvEntry {
  readonly value: string
  readonly keyStart: number
  readonly keyEnd: number
  /** Where the value begins, its quote included. */
  readonly start: number
  readonly end: number
}

/**
 * Reads `.env` as dotenv does, and finds where each value stands, which dotenv does not tell. Of a key that
 * is there twice the last one counts. Lines that dotenv ignores without a word become warnings.
 */
export function parseDotenv(source: SourceText, warnings: ProblemList): ReadonlyMap<string, DotenvEntry> {
  const { text } = source
  const values = parse(text)
  const entries = new Map<string, DotenvEntry>()
  let at = 0
  while (at < text.length) {
    const key = matchAt(keyAndSign, text, at)
    if (key === undefined) {
      const lineEnd = endOfLine(text, at)
      warnIfIgnored(source, at, lineEnd, warnings)
      at = lineEnd + 1
      continue
    }
    const name = key[1] as string
    const afterSign = at + key[0].length
    const keyEnd = at + key[0].lastIndexOf(name) + name.length
    const value = valueAt(text, afterSign)
    if (!value.isQuoted) {
      warnIfCut(source, name, value.end, warnings)
      warnIfOpen(source, name, value.start, warnings)
    }
    const found = Object.hasOwn(values, name) ? values[name] : undefined
    if (found !== undefined)
      entries.set(name, {
        value: found,
        keyStart: keyEnd - name.length,
        keyEnd,
        start: value.start,
        end: value.end,
      })
    at = endOfLine(text, value.end) + 1
  }
  return entries
}

const keyAndSign = /\s*(?:export\s+)?([\w.-]+)(?:\s*=|:\s)/y
const quotedValue = /\s*(?:'(?:\\'|[^'])*'|"(?:\\"|[^"])*"|`(?:\\`|[^`])*`)(?=\s*(?:#.*)?$)/my
const bareValue = /[^#\n]*/y

function valueAt(text: string, at: number): { start: number; end: number; isQuoted: boolean } {
  const quoted = matchAt(quotedValue, text, at)
  const raw = (quoted ?? matchAt(bareValue, text, at))?.[0] ?? ''
  const end = at + raw.trimEnd().length
  const start = Math.min(end, at + raw.length - raw.trimStart().length)
  return { start, end, isQuoted: quoted !== undefined }
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at
  return pattern.exec(text) ?? undefined
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at)
  return end === -1 ? text.length : end
}

// @NOTE neither the line nor a frame is shown: what lacks its "=" may well be a password
function warnIfIgnored(source: SourceText, start: number, end: number, warnings: ProblemList): void {
  const line = source.text.slice(start, end)
  if (/^\s*(?:#|$)/.test(line)) return
  warnings.add({
    place: source.place(start + line.length - line.trimStart().length),
    message: 'this line is ignored: it is not of the form KEY=value',
    expected: 'KEY=value, or # before a comment',
  })
}

function warnIfCut(source: SourceText, name: string, end: number, warnings: ProblemList): void {
  if (source.text[end] !== '#') return
  warnings.add({
    place: source.place(end),
    message: `the # begins a comment, so ${name} is cut off before it`,
    expected: 'quotes around a value with a # in it, or a space before a comment',
    suggestion: `${name}='…#…'`,
  })
}

function warnIfOpen(source: SourceText, name: string, start: number, warnings: ProblemList): void {
  if (!/['"`]/.test(source.text[start] ?? '')) return
  warnings.add({
    place: source.place(start),
    message: `the quote before ${name}'s value does not end it, so it is part of the value`,
    expected: 'a quote at both ends of the value, or at neither',
  })
}
