import { join } from 'node:path'

export const root = join(import.meta.dirname, '../../..')

/** What packaging/commands.mjs tells of a command. */
export interface DescribedCommand {
  readonly path: readonly string[]
  readonly options: readonly { readonly names: readonly string[]; readonly description: string }[]
  readonly commands: readonly DescribedCommand[]
}

interface Packaging {
  readCommands(dist: string): Promise<DescribedCommand>
  allCommands(command: DescribedCommand): readonly DescribedCommand[]
  manPage(program: DescribedCommand, version: string, date: string): string
  readonly completions: Readonly<Record<'bash' | 'zsh' | 'fish', (program: DescribedCommand) => string>>
  controlText(facts: object): string
  debianVersion(version: string): string
  debianChangelog(markdown: string, version: string, maintainer: string, date: number): string
  readLicences(
    modules: string,
    isWanted?: (folder: string) => boolean,
  ): readonly { readonly path: string; readonly holders: readonly string[] }[]
  copyrightText(own: object, licences: readonly object[]): string
  ownLicence(source: string): object
  prune(modules: string, arch: string): void
  checkNatives(modules: string, arch: string): { readonly needed: ReadonlySet<string> }
  unitText(source: string): string
}

const files = ['commands', 'man', 'completions', 'control', 'changelog', 'licences', 'modules', 'tree']

/** The scripts that make the package, which are no TypeScript. */
export const packaging = Object.assign(
  {},
  ...(await Promise.all(files.map((file) => import(join(root, `packaging/${file}.mjs`))))),
) as Packaging
