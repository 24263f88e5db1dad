import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BridgeTopics, localFilter, remoteFilter } from '#src/broker/bridge-topics.js'
import type { BridgeTopic } from '#src/core/bridge.js'
import { limits, setLimits } from '#src/core/limits.js'
import { filterProblem, matchesFilter } from '#src/core/topics.js'
import { shared } from '../support/bridge.js'

const rows: readonly (readonly [
  title: string,
  topic: Partial<BridgeTopic> & { readonly pattern: string },
  local: string,
  remote: string | undefined,
])[] = [
  ['no prefix changes nothing', { pattern: 'a/#' }, 'a/b/c', 'a/b/c'],
  ['both prefixes', { pattern: '#', localPrefix: 'L/', remotePrefix: 'R/' }, 'L/t', 'R/t'],
  ['one here', { pattern: '+', localPrefix: 'L/' }, 'L/t', 't'],
  ['one there', { pattern: 't', remotePrefix: 'R/' }, 't', 'R/t'],
  ['one topic', { pattern: '', localPrefix: 'a/b', remotePrefix: 'c' }, 'a/b', 'c'],
  ['# is for the level above it, too', { pattern: '#', localPrefix: 'L/', remotePrefix: 'R/' }, 'L', 'R'],
  ['which without a prefix has no name', { pattern: '#', localPrefix: 'L/' }, 'L', undefined],
  ['what does not match', { pattern: 'a/+' }, 'a/b/c', undefined],
  ['what is another’s', { pattern: '#', localPrefix: 'L/' }, 'l/t', undefined],
  ['# is not for what begins with $', { pattern: '#' }, '$SYS/uptime', undefined],
  ['nor does a prefix come off for it', { pattern: '#', localPrefix: 'L/' }, 'L/$SYS/x', undefined],
  ['what says so is', { pattern: '#', localPrefix: '$SYS/', remotePrefix: 'pi/' }, '$SYS/x', 'pi/x'],
]

for (const [title, topic, local, remote] of rows)
  test(`topics of a bridge: ${title}`, () => {
    const { outgoing, incoming } = new BridgeTopics({ topics: [shared(topic.pattern, topic)] })
    assert.equal(outgoing.of(local), remote)
    if (remote !== undefined) assert.equal(incoming.of(remote), local)
  })

test('the first topic that matches says where a message goes, and only those of its direction count', () => {
  const { outgoing, incoming, local, remote, onlyOut } = new BridgeTopics({
    topics: [
      shared('a/b', { direction: 'in', remotePrefix: 'x/' }),
      shared('a/#', { direction: 'out', remotePrefix: 'y/', qos: 0 }),
      shared('a/+', { direction: 'both', remotePrefix: 'z/' }),
      shared('a/#', { direction: 'out', qos: 2 }),
    ],
  })
  assert.equal(outgoing.of('a/b'), 'y/a/b')
  assert.deepEqual(
    ['x/a/b', 'y/a/b', 'z/a/b', 'a/b'].map((topic) => incoming.of(topic)),
    ['a/b', undefined, 'a/b', undefined],
  )
  assert.deepEqual(local, [
    { filter: 'a/#', qos: 2 },
    { filter: 'a/+', qos: 1 },
  ])
  assert.deepEqual(remote, [
    { filter: 'x/a/b', qos: 1 },
    { filter: 'z/a/+', qos: 1 },
  ])
  assert.deepEqual(onlyOut, ['y/a/#', 'a/#'])
})

test('a name that is too long on the other side does not go there', () => {
  const { outgoing } = new BridgeTopics({ topics: [shared('#', { remotePrefix: 'R/' })] })
  const longest = 'x'.repeat(limits.topicBytesMax - 2)
  assert.equal(outgoing.of(longest), `R/${longest}`)
  assert.equal(outgoing.of(`${longest}x`), undefined)
})

test('names are found again when more of them were asked for than are remembered', (t) => {
  t.after(() => setLimits({}))
  setLimits({ bridgeTopicsRemembered: 3 })
  const { outgoing } = new BridgeTopics({ topics: [shared('#', { remotePrefix: 'R/' })] })
  for (let round = 0; round < 2; round++)
    for (const topic of ['a', 'b', 'c', 'd', '$x'])
      assert.equal(outgoing.of(topic), topic === '$x' ? undefined : `R/${topic}`)
})

const level = fc.constantFrom('a', 'b', '', 'ü', '$x')
const prefix = fc.oneof(
  fc.constant(''),
  fc.array(level, { minLength: 1, maxLength: 3 }).map((levels) => `${levels.join('/')}/`),
)
const pattern = fc
  .array(fc.oneof(level, fc.constant('+')), { maxLength: 3 })
  .chain((levels) => fc.boolean().map((isOpen) => [...levels, ...(isOpen ? ['#'] : [])].join('/')))
const anyTopic = fc.array(level, { minLength: 1, maxLength: 6 }).map((levels) => levels.join('/'))

test('what goes out has a name that the other side’s filter matches, and comes back under the name that it had', () => {
  fc.assert(
    fc.property(
      pattern,
      prefix,
      prefix,
      anyTopic,
      fc.boolean(),
      (pattern, localPrefix, remotePrefix, rest, isUnder) => {
        const topic = shared(pattern, { localPrefix, remotePrefix })
        fc.pre(
          filterProblem(localFilter(topic)) === undefined && filterProblem(remoteFilter(topic)) === undefined,
        )
        const { outgoing, incoming } = new BridgeTopics({ topics: [topic] })
        const local = isUnder ? localPrefix + rest : rest
        const remote = outgoing.of(local)
        if (remote === undefined || local === '') return
        assert.ok(matchesFilter(localFilter(topic), local))
        assert.ok(matchesFilter(remoteFilter(topic), remote))
        assert.equal(incoming.of(remote), local)
      },
    ),
    { numRuns: 2_000 },
  )
})
