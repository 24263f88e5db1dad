import type { TreeReader } from './tree-reader.ts'
import type { Tree } from './yaml-tree.ts'

export interface NumberRange {
  /** In words, for the mistake: `a number such as 0.5, more than 0`. */
  readonly expected: string
  readonly isRight: (value: number) => boolean
}

/** A number; anything else is told. NaN and infinity are up to `isRight`. */
export function readNumber(
  tree: Tree,
  what: string,
  reader: TreeReader,
  { expected, isRight }: NumberRange,
): number | undefined {
  const value = tree.kind === 'scalar' ? tree.value : undefined
  if (typeof value !== 'number') return reader.mistake(tree, `${what} is not a number`, { expected })
  if (!isRight(value)) return reader.mistake(tree, `${what} is not right`, { expected })
  return value
}
