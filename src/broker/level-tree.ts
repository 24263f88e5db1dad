/** A level of a topic or filter, and what lies below it. */
export interface LevelNode<Value> {
  children: Map<string, LevelNode<Value>> | undefined
  value: Value | undefined
}

/** Values by topic or filter, level by level. Levels that lead to no value do not stay. */
export class LevelTree<Value> {
  readonly root: LevelNode<Value> = { children: undefined, value: undefined }

  get(path: string): Value | undefined {
    let node: LevelNode<Value> | undefined = this.root
    for (const level of path.split('/')) {
      node = node.children?.get(level)
      if (node === undefined) return undefined
    }
    return node.value
  }

  /** @returns what was there before */
  set(path: string, value: Value): Value | undefined {
    let node = this.root
    for (const level of path.split('/')) {
      node.children ??= new Map()
      let child = node.children.get(level)
      if (child === undefined) {
        child = { children: undefined, value: undefined }
        node.children.set(level, child)
      }
      node = child
    }
    const old = node.value
    node.value = value
    return old
  }

  /** @returns what was there */
  delete(path: string): Value | undefined {
    const levels = path.split('/')
    const nodes = [this.root]
    for (const level of levels) {
      const child = nodes.at(-1)?.children?.get(level)
      if (child === undefined) return undefined
      nodes.push(child)
    }
    const last = nodes.at(-1) as LevelNode<Value>
    const old = last.value
    last.value = undefined
    for (let depth = levels.length; depth > 0; depth--) {
      const { children, value } = nodes[depth] as LevelNode<Value>
      if (children !== undefined || value !== undefined) break
      const parent = nodes[depth - 1] as LevelNode<Value>
      parent.children?.delete(levels[depth - 1] as string)
      if (parent.children?.size === 0) parent.children = undefined
    }
    return old
  }
}
