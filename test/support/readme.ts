/** What a README tells its reader to do, and what it says will be seen. */
export type ReadmeStep = ReadmeCommand | ReadmeOutput

export interface ReadmeCommand {
  readonly kind: 'command'
  readonly command: string
  /** Lines; `…` stands for any text, alone on a line for any lines. */
  readonly expected: readonly string[]
  /** What follows the command ends with a `…` of its own: the command runs on, in a terminal of its own. */
  readonly runsOn: boolean
}

/** What the terminals that run on show next, in any order among them. */
export interface ReadmeOutput {
  readonly kind: 'output'
  readonly lines: readonly string[]
}

/** The `console` blocks, in which a command begins with `$ `, and the `text` blocks. Others are for the eye. */
export function readmeSteps(markdown: string): readonly ReadmeStep[] {
  const blocks = markdown.matchAll(/^```(console|text)\n(.*?)^```$/gms)
  return [...blocks].flatMap(([, language, block]): ReadmeStep[] => {
    const text = (block as string).trimEnd()
    return language === 'text' ? [{ kind: 'output', lines: text.split('\n') }] : commandsOf(text)
  })
}

/** Matches output that begins with these lines; with `isWhole`, nothing else may follow. */
export function outputPattern(expected: readonly string[], isWhole: boolean): RegExp {
  const lines = expected.map((line) => (line === '…' ? '(?:.*\\n)*?' : `\\s*${linePattern(line)}\\s*\\n`))
  return new RegExp(`^${lines.join('')}${isWhole ? '$' : ''}`)
}

/** Matches one line: `…` is any text, a time of day any time of day. */
export function linePattern(line: string): string {
  return line
    .trim()
    .split(/(…|\[\d\d:\d\d:\d\d\])/)
    .map((part) => {
      if (part === '…') return '.*'
      return part.startsWith('[') && /^\[\d\d:/.test(part) ? '\\[\\d\\d:\\d\\d:\\d\\d\\]' : escaped(part)
    })
    .join('')
}

function commandsOf(block: string): ReadmeCommand[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command, ...rest] = part.replaceAll('\\\n', '').trimEnd().split('\n')
      const runsOn = rest.at(-1) === '…'
      return {
        kind: 'command',
        command: command as string,
        expected: runsOn ? rest.slice(0, -1) : rest,
        runsOn,
      }
    })
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
