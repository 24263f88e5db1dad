import type { AclLine } from '../../core/access.ts'
import { overlap } from '../../core/filter-cover.ts'
import { FilterIndex, matchesFilter } from '../../core/topics.ts'
import { Template, type Who } from './template.ts'

/** What a line says, as bits. */
export const says = { read: 1, write: 2, deny: 4 } as const

const bitsOf = {
  read: says.read,
  write: says.write,
  readwrite: says.read | says.write,
  deny: says.deny,
} as const

interface Entry {
  readonly line: AclLine
  readonly bits: number
  readonly template: Template | undefined
}

/** The lines of one subject, to be found by a topic in time that does not grow with their number. */
export class LineSet {
  readonly #index = new FilterIndex<Entry>()
  /** Templates by whose client or name the rights of one and another differ. */
  readonly templates: Template[] = []

  add(line: AclLine): void {
    const template = line.isPattern ? Template.of(line.filter) : undefined
    const bits = bitsOf[line.verb]
    if (template !== undefined) this.templates.push(template)
    const filter = (bits & says.deny) !== 0 ? template?.wideCandidates : template?.candidates
    this.#index.add(filter ?? line.filter, { line, bits, template })
  }

  /** What the lines that match a topic say, all together. */
  bitsOf(topic: string, who: Who): number {
    let bits = 0
    for (const entry of this.#index.match(topic)) if (applies(entry, topic, who)) bits |= entry.bits
    return bits
  }

  /** The first line that says this of a topic. */
  find(topic: string, bits: number, who: Who): AclLine | undefined {
    return this.#index.match(topic).find((entry) => (entry.bits & bits) !== 0 && applies(entry, topic, who))
      ?.line
  }

  /** Some line that says this of some topic that matches a filter. */
  findOverlapping(filter: string, bits: number, who: Who): AclLine | undefined {
    let found: AclLine | undefined
    this.#index.someOverlapping(filter, ({ line, bits: own, template }) => {
      if ((own & bits) === 0) return false
      if (template !== undefined) {
        const filled = template.isUnfitFor(who) ? undefined : template.fill(who)
        if (filled === undefined || !overlap(filled, filter)) return false
      }
      found = line
      return true
    })
    return found
  }
}

/** Whether a line that was found speaks of this topic, to this client. */
function applies({ template, bits }: Entry, topic: string, who: Who): boolean {
  if (template === undefined) return true
  // what is forbidden to one by name stays so, also where the name cannot be told from others
  if (template.isUnfitFor(who)) return (bits & says.deny) !== 0
  const filled = template.fill(who)
  return filled !== undefined && matchesFilter(filled, topic)
}
