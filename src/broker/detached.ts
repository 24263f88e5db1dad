/** V8 keeps a part of a string of this many characters as a view of the whole. */
const viewLengthMin = 13

/** A part of a text that may outlive the text, which it would keep in memory, all of it. */
export function detached(part: string): string {
  return part.length < viewLengthMin ? part : Buffer.from(part).toString()
}
