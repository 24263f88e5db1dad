/**
 * What JSON lets through, and terminals obey: DEL, C1 controls (ECMA-48: U+009B begins what ESC [ does), and what turns a
 * line around. Clients choose their ids and topics.
 */
const inJson = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** These and, but for tabulators and line breaks, what JSON itself does not let through. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const inText = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/** JSON, with such characters as JSON escapes them. */
export function harmlessJson(json: string): string {
  return json.replaceAll(inJson, escaped)
}

/** A text that is no JSON, likewise. */
export function harmlessText(text: string): string {
  return text.replaceAll(inText, escaped)
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
