import { Document, isMap, isScalar, parseDocument, YAMLMap } from 'yaml'
import { DamselflyError } from '../core/errors.ts'
import type { YamlMap } from './move.ts'

/**
 * The text of a `.env` with these keys set: in the line where one is set already, the others at the end under a headline.
 * All else stays as it is.
 */
export function mergeEnv(text: string, values: ReadonlyMap<string, string>, headline: string): string {
  let merged = text
  const added: string[] = []
  for (const [key, value] of values) {
    const line = new RegExp(`^([ \\t]*(?:export[ \\t]+)?${key}[ \\t]*=).*$`, 'gm')
    if (line.test(merged)) merged = merged.replaceAll(line, (_, before: string) => `${before}${value}`)
    else added.push(`${key}=${value}`)
  }
  if (added.length === 0) return merged
  const before = merged === '' ? '' : `${merged.replace(/\n*$/, '')}\n\n`
  return `${before}# ${headline}\n${added.join('\n')}\n`
}

/** The sections that moving in writes. */
export interface Sections {
  readonly listeners: ReadonlyMap<string, YamlMap>
  readonly bridges: ReadonlyMap<string, YamlMap>
}

/**
 * The text of a `damselfly.yaml` with these listeners and bridges in it. One of the same name is replaced; comments and
 * whatever else there is stay.
 * @throws DamselflyError `CONFIG_INVALID` when the text is no YAML, or no map
 */
export function mergeYaml(text: string, sections: Sections): string {
  const { listeners, bridges } = sections
  const wanted = Object.entries({ listeners, bridges }).filter(([, entries]) => entries.size > 0)
  if (wanted.length === 0) return text
  const document = parseDocument(text)
  if (document.errors.length > 0)
    throw new DamselflyError(
      'CONFIG_INVALID',
      `damselfly.yaml is not YAML: ${document.errors[0]?.message}; damselfly check says more`,
    )
  const { contents } = document
  const isEmpty = contents === null || (isScalar(contents) && contents.value === null)
  if (!isEmpty && !isMap(contents))
    throw new DamselflyError('CONFIG_INVALID', 'damselfly.yaml is no map of sections')
  const isNew = wanted.every(([section]) => isEmpty || !document.has(section))
  // what is only added to is not written anew: not a space of it changes
  if (isNew && (isEmpty || (isMap(contents) && contents.flow !== true))) {
    const before = text === '' ? '' : `${text.replace(/\n*$/, '')}\n\n`
    return before + wanted.map(([section, entries]) => textOf(section, entries)).join('\n')
  }
  for (const [section, entries] of wanted) {
    if (!isMap(document.get(section))) document.set(section, new YAMLMap())
    for (const [name, entry] of entries) document.setIn([section, name], document.createNode(entry))
  }
  return document.toString({ lineWidth: 0 })
}

function textOf(section: string, entries: ReadonlyMap<string, YamlMap>): string {
  return new Document({ [section]: Object.fromEntries(entries) }).toString({ lineWidth: 0 })
}
