import { styleText } from 'node:util'

/** What styleText knows, as far as it is used here. */
export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan'

/** Colours a text, or leaves it alone. */
export type Paint = (style: Style, text: string) => string

/** Colours where a terminal shows them and nobody has refused them (`NO_COLOR`, `TERM=dumb`). */
export function paintFor(stream: NodeJS.WriteStream): Paint {
  const isColored = stream.isTTY === true && stream.hasColors()
  return (style, text) => (isColored && text !== '' ? styleText(style, text) : text)
}

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

const unprintable = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

/** A text from outside without what would move a terminal's cursor, change its colours, or turn the line around. */
export function plain(text: string): string {
  return text.replaceAll(
    unprintable,
    (character) => named[character] ?? `\\u{${character.codePointAt(0)?.toString(16)}}`,
  )
}

/** Likewise as JSON on one line, where a terminal may show it: JSON itself lets DEL and C1 controls through. */
export function plainJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    unprintable,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Likewise cut, so that a line stays one: `…` says where. */
export function shortened(text: string, charsMax: number): string {
  const characters = [...plain(text.slice(0, 2 * charsMax))]
  return characters.length > charsMax ? `${characters.slice(0, charsMax - 1).join('')}…` : characters.join('')
}

/** A moment in local time: `08:15:00`, with milliseconds if wanted; with the date when it is not today. */
export function localTime(iso: string, options: { readonly withMs?: boolean } = {}): string {
  const time = new Date(iso)
  const two = (value: number) => String(value).padStart(2, '0')
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')
  const ms = options.withMs === true ? `.${String(time.getMilliseconds()).padStart(3, '0')}` : ''
  if (time.toDateString() === new Date().toDateString()) return clock + ms
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${clock}${ms}`
}

/** Aborts when the person has seen enough: Ctrl-C, SIGTERM, or a pipe whose reader has gone (`| head`). */
export function untilInterrupted(): AbortSignal {
  const end = new AbortController()
  const abort = (): void => end.abort()
  process.once('SIGINT', abort)
  process.once('SIGTERM', abort)
  process.stdout.on('error', abort)
  return end.signal
}
