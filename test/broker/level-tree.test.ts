import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type LevelNode, LevelTree } from '#src/broker/level-tree.js'
import { someFilter, someTopic } from '../support/topics.js'

/** All nodes below one; checks what the tree promises of each. @returns how many there are, and how many values */
function count(tree: LevelTree<string>): { readonly nodes: number; readonly values: number } {
  let nodes = 0
  let values = 0
  const look = (node: LevelNode<string>, above: string | undefined): void => {
    const path = node === tree.root ? undefined : node.text.slice(0, node.end)
    if (path !== undefined) {
      nodes++
      assert.equal(node.start, above === undefined ? 0 : above.length + 1)
      if (above !== undefined) assert.ok(path.startsWith(`${above}/`))
      if (node.value === undefined) assert.equal(node.text, path)
    }
    if (node.value !== undefined) {
      values++
      assert.equal(node.value, path)
    }
    const { children } = node
    if (children instanceof Map) {
      if (node !== tree.root) assert.ok(children.size > 1)
      for (const [key, child] of children) {
        assert.equal(child.text.slice(child.start, child.end).split('/')[0], key)
        look(child, path)
      }
    } else if (children !== undefined) {
      if (node !== tree.root) assert.notEqual(node.value, undefined)
      look(children, path)
    } else if (node !== tree.root) assert.notEqual(node.value, undefined)
  }
  look(tree.root, undefined)
  return { nodes, values }
}

test('whatever is set and deleted, it knows what is there, and has no node that is not needed', () => {
  const step = fc.tuple(
    fc.boolean(),
    fc.oneof(someTopic, someFilter),
    fc.constantFrom('', '/payload', 'payload'),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const tree = new LevelTree<string>()
      const model = new Set<string>()
      for (const [isSet, path, rest] of steps) {
        const before = model.has(path) ? path : undefined
        assert.equal(tree.get(path), before)
        if (isSet) {
          assert.equal(tree.set(path + rest, path.length, path), before)
          model.add(path)
        } else {
          assert.equal(tree.delete(path), before)
          model.delete(path)
        }
        const { nodes, values } = count(tree)
        assert.equal(values, model.size)
        assert.ok(nodes <= 2 * values)
      }
      for (const path of model) assert.equal(tree.get(path), path)
      for (const path of model) assert.equal(tree.delete(path), path)
      assert.equal(tree.root.children, undefined)
    }),
    { numRuns: 1_000 },
  )
})

test('a hundred levels that lead to one value are one node, and two values share what they share', () => {
  const tree = new LevelTree<string>()
  const deep = 'level/'.repeat(99)
  for (const path of [`${deep}a`, `${deep}b`]) tree.set(path, path.length, path)
  assert.equal(count(tree).nodes, 3)
  tree.delete(`${deep}a`)
  assert.equal(count(tree).nodes, 1)
  assert.equal(tree.get(`${deep}b`), `${deep}b`)
})
