import type { CST, Document, YAMLError } from 'yaml'
import { Composer, Lexer, Parser } from 'yaml'
import { limits } from '../core/limits.ts'
import type { ProblemList } from './problem-list.ts'
import type { SourceText } from './source-text.ts'
import { type Mistake, TreeBuilder } from './tree-builder.ts'
import type { Tree } from './yaml-tree.ts'

/** A YAML file as far as it could be understood. */
export interface YamlReading {
  /** Undefined when the file says nothing. */
  readonly tree: Tree | undefined
  /** Offsets of what is not YAML, of duplicate keys and of unknown aliases. */
  readonly mistakes: readonly number[]
}

/**
 * Reads one YAML 1.2 document: `on`, `off` and `yes` stay texts. Every syntax mistake goes into `problems`,
 * one a line. Depth and size are bounded, those of aliases included.
 */
export function parseYaml(source: SourceText, problems: ProblemList): YamlReading {
  const mistakes: number[] = []
  const mistake: Mistake = (start, end, message, details) => {
    mistakes.push(start)
    problems.at(source, start, end, message, details)
  }
  const tokens = tokensOf(source, mistake)
  if (tokens === undefined) return { tree: undefined, mistakes }
  const composer = new Composer({ prettyErrors: false, uniqueKeys: false, resolveKnownTags: false })
  let document: Document.Parsed | undefined
  for (const next of composer.compose(tokens, true, source.text.length)) {
    if (document === undefined) document = next
    else {
      const start = source.text.indexOf('---', document.range[1])
      mistake(Math.max(start, 0), start + 3, 'a second document begins here; one file is one configuration', {
        suggestion: 'remove the line ---',
      })
      break
    }
  }
  if (document === undefined) return { tree: undefined, mistakes }
  tellErrors(source, document, mistake)
  const tree = new TreeBuilder(source, mistake).build(document.contents)
  return { tree: tree.kind === 'scalar' && tree.value === null ? undefined : tree, mistakes }
}

// @NOTE the composer recurses, and a regular expression that is compiled when the stack is nearly used up
// ends the whole process; the parser does not recurse, so the depth is looked at there. Its stack
// holds the document, each map and list, and a value.
function tokensOf(source: SourceText, mistake: Mistake): CST.Token[] | undefined {
  const parser = new Parser()
  const tokens: CST.Token[] = []
  for (const lexeme of new Lexer().lex(source.text)) {
    const at = parser.offset
    for (const token of parser.next(lexeme)) tokens.push(token)
    if (parser.stack.length <= limits.configDepthMax + 2) continue
    mistake(at, at + 1, 'maps and lists stand too deep in each other', {
      expected: `at most ${limits.configDepthMax} levels`,
    })
    return undefined
  }
  for (const token of parser.end()) tokens.push(token)
  return tokens
}

function tellErrors(source: SourceText, document: Document.Parsed, mistake: Mistake): void {
  const contentsEnd = document.contents?.range[2] ?? 0
  const lines = new Set<number>()
  let isBeyond = false
  for (const error of [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0])) {
    const [start, end] = error.pos
    const { line } = source.place(start)
    // a line that does not fit makes more errors on it and, when it ends the document, on each line after it
    if (lines.has(line) || isBeyond) continue
    lines.add(line)
    isBeyond = error.code === 'UNEXPECTED_TOKEN' && start >= contentsEnd
    const told = isBeyond
      ? beyond
      : isBareTemplate(source.text, start)
        ? bareTemplate
        : (sentences[error.code] ?? { message: lowerFirst(error.message) })
    mistake(start, end, told.message, {
      ...(told.suggestion === undefined ? {} : { suggestion: told.suggestion }),
    })
  }
}

/** `{ set: ${payload} }`: the `{` of a template, where YAML begins a map. */
function isBareTemplate(text: string, offset: number): boolean {
  return text[offset] === '{' && text[offset - 1] === '$'
}

const bareTemplate: Sentence = {
  message: 'a text with ${…} needs quotes inside { } and [ ]',
  suggestion: '"${payload}"',
}

interface Sentence {
  readonly message: string
  readonly suggestion?: string
}

const beyond: Sentence = {
  message: 'this line does not fit what stands above it',
  suggestion: 'begin the keys of one map in the same column',
}

const sentences: Partial<Record<YAMLError['code'], Sentence>> = {
  TAB_AS_INDENT: { message: 'a tab cannot indent YAML', suggestion: 'use spaces' },
  BAD_INDENT: {
    message: 'the indentation does not fit what stands above it',
    suggestion: 'begin what belongs together in the same column, and close each [ and {',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    message: 'a second ": " on this line, where a plain value should end',
    suggestion: 'put the value into quotes, or what follows on a line of its own',
  },
  BAD_SCALAR_START: {
    message: 'a value cannot begin with this character',
    suggestion: 'put the value into quotes',
  },
  BAD_DQ_ESCAPE: {
    message: 'in double quotes a backslash begins an escape, and this one is not known',
    suggestion: "write \\\\ for a backslash, or use single quotes: '…'",
  },
  TAG_RESOLVE_FAILED: {
    message: 'tags such as !this are not known here',
    suggestion: 'put the value into quotes if it is meant to begin with !; secrets belong into .env',
  },
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1)
}
