import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import fc from 'fast-check'
import { DecisionMemory } from '#src/broker/access/decision-memory.js'
import { RightsBook } from '#src/broker/access/rights-book.js'
import type { AccessList, AclLine, AclSubject, AclVerb } from '#src/core/access.js'
import { Counters } from '#src/core/counters.js'
import { overlap } from '#src/core/filter-cover.js'
import { limits, setLimits } from '#src/core/limits.js'
import { matchesFilter } from '#src/core/topics.js'
import { bookOf } from '../../support/acl.js'

afterEach(() => setLimits({}))

const list = `topic read public/#
user kitchen
topic readwrite home/#
topic deny home/lock
topic write log
user lab boss
topic readwrite #
group sensors: s1 s2
topic write sensors/#
pattern readwrite devices/%c/#
pattern read mail/%u
pattern deny devices/%c/secret
`

type Row = readonly [user: string | undefined, clientId: string, topic: string, may: '' | 'r' | 'w' | 'rw']

const rows: readonly Row[] = [
  [undefined, 'c', 'public/a', 'r'],
  [undefined, 'c', 'public', 'r'],
  [undefined, 'c', 'home/a', ''],
  ['kitchen', 'c', 'public/a', ''],
  ['kitchen', 'c', 'home/a', 'rw'],
  ['kitchen', 'c', 'home/lock', ''],
  ['kitchen', 'c', 'home/lock/x', 'rw'],
  ['kitchen', 'c', 'log', 'w'],
  ['Kitchen', 'c', 'home/a', ''],
  ['lab boss', 'c', 'any/thing', 'rw'],
  ['lab boss', 'c', '$SYS/broker/uptime', ''],
  ['s1', 'c', 'sensors/1', 'w'],
  ['s3', 'c', 'sensors/1', ''],
  ['s1', 'esp', 'devices/esp/state', 'rw'],
  [undefined, 'esp', 'devices/esp/state', 'rw'],
  ['s1', 'esp', 'devices/other/state', ''],
  ['lab boss', 'esp', 'devices/esp/secret', ''],
  ['s1', 'c', 'mail/s1', 'r'],
  ['s1', 'c', 'mail/s2', ''],
  [undefined, 'c', 'mail/', ''],
  ['', 'c', 'mail/', 'r'],
]
for (const [user, clientId, topic, may] of rows)
  test(`${user ?? 'nobody by name'} as ${clientId} may do "${may}" with ${topic}`, async (context) => {
    const rights = (await bookOf(context, list)).rightsOf({ user, clientId })
    for (const _ of [1, 2]) {
      assert.equal(rights.mayRead(topic), may.includes('r'))
      assert.equal(rights.mayWrite(topic), may.includes('w'))
    }
    assert.equal(rights.explain(topic, 'read').isAllowed, may.includes('r'))
    assert.equal(rights.explain(topic, 'write').isAllowed, may.includes('w'))
    assert.equal(rights.mayAskFor(topic), may.includes('r'))
  })

/** Names that would be more than themselves in a pattern, and what they are after. */
const wide: readonly Row[] = [
  ['+', 'c', 'mail/s1', ''],
  ['#', 'c', 'mail/s1', ''],
  ['s1', '+', 'devices/other/state', ''],
  ['s1', '#', 'devices/other/state', ''],
  ['s1', 'other/#', 'devices/other/state', ''],
  ['s1', 'a/b', 'devices/a/b/state', ''],
  ['s1', 'esp+', 'devices/esp+/state', ''],
  ['s1', '%u', 'devices/s1/state', ''],
  ['%c', 'boss', 'mail/boss', ''],
  // what is denied by a pattern is denied to them wherever it could be meant
  ['lab boss', 'a/b', 'devices/a/b/secret', ''],
  ['lab boss', 'a/b', 'devices/x', ''],
  ['lab boss', 'a/b', 'elsewhere', 'rw'],
  // pattern lines without their placeholder hold for them
  ['s1', 'a/b', 'mail/s1', 'r'],
]
for (const [user, clientId, topic, may] of wide)
  test(`${user} as ${clientId} does not widen a pattern: "${may}" with ${topic}`, async (context) => {
    const rights = (await bookOf(context, list)).rightsOf({ user, clientId })
    assert.deepEqual([rights.mayRead(topic), rights.mayWrite(topic)], [may.includes('r'), may.includes('w')])
  })

test('a placeholder at the beginning does not open the topics that begin with $', async (context) => {
  const book = await bookOf(context, 'pattern readwrite %c/#\npattern read %u')
  const rights = book.rightsOf({ user: '$SYS', clientId: '$SYS' })
  assert.equal(rights.mayRead('$SYS/broker/uptime'), false)
  assert.equal(rights.mayRead('$SYS'), false)
  assert.equal(rights.mayAskFor('$SYS/#'), false)
})

test('a placeholder may be a part of a level, and stand there more than once', async (context) => {
  const rights = (await bookOf(context, 'pattern write dev-%c/%u/%c')).rightsOf({ user: 'u', clientId: 'x' })
  assert.deepEqual(
    [rights.mayWrite('dev-x/u/x'), rights.mayWrite('dev-y/u/x'), rights.mayWrite('dev-x/u/y')],
    [true, false, false],
  )
})

const asked: readonly (readonly [user: string | undefined, filter: string, isAllowed: boolean])[] = [
  ['kitchen', 'home/#', true],
  ['kitchen', '#', true],
  ['kitchen', '+/lamp', true],
  ['kitchen', 'garden/#', false],
  ['kitchen', 'log/#', false],
  ['kitchen', '$SYS/#', false],
  ['kitchen', 'devices/c/+', true],
  ['kitchen', 'devices/other/+', false],
  ['lab boss', '$SYS/#', false],
  [undefined, '+', true],
  [undefined, '+/+/+/+', true],
  [undefined, 'home/+', false],
]
for (const [user, filter, isAllowed] of asked)
  test(`${user ?? 'nobody by name'} may ${isAllowed ? '' : 'not '}subscribe to ${filter}`, async (context) => {
    const rights = (await bookOf(context, list)).rightsOf({ user, clientId: 'c' })
    assert.equal(rights.mayAskFor(filter), isAllowed)
  })

test('an answer names the line that decided: the first that denies, else the first that allows', async (context) => {
  const rights = (await bookOf(context, list)).rightsOf({ user: 'kitchen', clientId: 'c' })
  const lineOf = (topic: string) => rights.explain(topic, 'read').line?.line
  assert.deepEqual([lineOf('home/a'), lineOf('home/lock'), lineOf('garden')], [3, 4, undefined])
  assert.equal(rights.explainFilter('home/#').line?.text, 'topic readwrite home/#')
})

test('clients of one user share their rights, unless the client id matters', async (context) => {
  const one = { user: 'kitchen', clientId: 'one' }
  const two = { user: 'kitchen', clientId: 'two' }
  const shared = await bookOf(context, 'user kitchen\ntopic a\npattern read %u')
  assert.equal(shared.rightsOf(one), shared.rightsOf(two))
  assert.notEqual(shared.rightsOf(one), shared.rightsOf({ user: 'other', clientId: 'one' }))
  const own = await bookOf(context, 'user kitchen\ntopic a\npattern read %c')
  assert.notEqual(own.rightsOf(one), own.rightsOf(two))
})

test('our own parts may do everything without a section, and with one what it says, whoever has their name', async (context) => {
  const book = await bookOf(context, 'user $rules\ntopic write home/#\npattern read all/%u')
  assert.equal(book.rightsOfIdentity('$pins'), undefined)
  const rules = book.rightsOfIdentity('$rules')
  assert.deepEqual(
    [rules?.mayWrite('home/a'), rules?.mayWrite('garden'), rules?.mayRead('all/$rules')],
    [true, false, true],
  )
  assert.equal(book.rightsOf({ user: '$rules', clientId: 'c' }).mayWrite('home/a'), false)
})

test('decisions are remembered up to the bound, and one past it forgets those that were there first', async (context) => {
  const counters = new Counters()
  const book = await bookOf(context, 'user a\ntopic t/#\nuser b\ntopic t/#', counters)
  const [a, b] = ['a', 'b'].map((user) => book.rightsOf({ user, clientId: 'c' }))
  const each = DecisionMemory.bytesOf('t/0')
  setLimits({ decisionBytesMax: 3 * each })
  a?.mayRead('t/0')
  a?.mayRead('t/1')
  b?.mayRead('t/2')
  assert.equal(counters.get('decisionBytesMax'), 0)
  b?.mayRead('t/3')
  assert.equal(counters.get('decisionBytesMax'), 1)
  assert.deepEqual([a?.forget(), b?.forget()], [0, 2 * each])
  for (const topic of ['t/0', 't/1']) assert.equal(a?.mayRead(topic), true)
})

// --- against the plainest way to decide

const level = fc.constantFrom('a', 'b', '+', '%u', '%c', 'x%u', '$SYS', '')
const filter = fc
  .tuple(fc.array(level, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([levels, isOpen]) => [...levels, ...(isOpen ? ['#'] : [])].join('/'))
  .filter((text) => text !== '')
const subject: fc.Arbitrary<AclSubject> = fc.oneof(
  fc.constant({ kind: 'anonymous' } as const),
  fc.constantFrom('a', 'b', '+', 'a/b').map((name) => ({ kind: 'user', name }) as const),
  fc.constantFrom('g', 'h').map((name) => ({ kind: 'group', name }) as const),
  fc.constant({ kind: 'everyone' } as const),
)
const verb = fc.constantFrom<AclVerb>('read', 'write', 'readwrite', 'deny')
const lines = fc.array(fc.tuple(subject, verb, filter), { maxLength: 8 }).map((all) =>
  all.map(
    ([about, may, text], index): AclLine => ({
      subject: about,
      verb: may,
      filter: text,
      isPattern: about.kind === 'everyone',
      line: index + 1,
      text: `${may} ${text}`,
    }),
  ),
)
const groups = new Map([
  ['g', new Set(['a'])],
  ['h', new Set(['a', 'b'])],
])
const user = fc.constantFrom('a', 'b', 'c', '+', 'a/b', '%c', undefined)
const clientId = fc.constantFrom('a', 'b', '#', 'x/y', '%u', '$SYS')
const topic = fc
  .array(fc.constantFrom('a', 'b', 'xa', '$SYS', 'x', 'y', ''), { minLength: 1, maxLength: 4 })
  .map((levels) => levels.join('/'))
  .filter((text) => text !== '')

/** Whether a line speaks of this client at all, and with which filter. */
function meant(line: AclLine, name: string | undefined, id: string): string | undefined {
  const { subject: about, isPattern } = line
  if (about.kind === 'anonymous' && name !== undefined) return undefined
  if (about.kind === 'user' && about.name !== name) return undefined
  if (about.kind === 'group' && (name === undefined || !groups.get(about.name)?.has(name))) return undefined
  if (!isPattern) return line.filter
  const hasUser = line.filter.includes('%u')
  const used = [...(hasUser ? [name ?? ''] : []), ...(line.filter.includes('%c') ? [id] : [])]
  if (used.some((value) => /[+#/]/.test(value))) {
    if (line.verb !== 'deny') return undefined
    const levels = line.filter.split('/')
    return [
      ...levels.slice(
        0,
        levels.findIndex((each) => /%[uc]/.test(each)),
      ),
      '#',
    ].join('/')
  }
  if (hasUser && name === undefined) return undefined
  const filled = line.filter.replace(/%[uc]/g, (it) => (it === '%u' ? (name as string) : id))
  // a name does not open what begins with $
  return filled.startsWith('$') && !line.filter.startsWith('$') ? undefined : filled
}

function plainly(
  all: readonly AclLine[],
  name: string | undefined,
  id: string,
  about: string,
  may: 'read' | 'write',
): boolean {
  const matching = all.filter((line) => {
    const text = meant(line, name, id)
    return text !== undefined && matchesFilter(text, about)
  })
  if (matching.some((line) => line.verb === 'deny')) return false
  return matching.some((line) => line.verb === may || line.verb === 'readwrite')
}

test('rights with all that makes them fast decide as one who reads the list line by line', () => {
  fc.assert(
    fc.property(lines, user, clientId, fc.array(topic, { maxLength: 6 }), (all, name, id, topics) => {
      const acl: AccessList = { file: 'acl', lines: all, groups }
      const book = new RightsBook(acl, new DecisionMemory(new Counters()))
      const rights = book.rightsOf({ user: name, clientId: id })
      for (const about of [...topics, ...topics])
        for (const may of ['read', 'write'] as const) {
          const expected = plainly(all, name, id, about, may)
          assert.equal(may === 'read' ? rights.mayRead(about) : rights.mayWrite(about), expected)
          assert.equal(rights.explain(about, may).isAllowed, expected)
        }
    }),
    { numRuns: 2_000 },
  )
})

test('whoever may read a topic may subscribe to each filter that it matches', () => {
  const asks = filter.filter((text) => !/[%x]/.test(text))
  fc.assert(
    fc.property(lines, user, clientId, topic, asks, (all, name, id, about, ask) => {
      const book = new RightsBook({ file: 'acl', lines: all, groups }, new DecisionMemory(new Counters()))
      const rights = book.rightsOf({ user: name, clientId: id })
      if (rights.mayRead(about)) {
        assert.ok(rights.mayAskFor(about))
        if (matchesFilter(ask, about)) assert.ok(rights.mayAskFor(ask))
      }
      if (!/[+#]/.test(ask)) return
      const isOverlapping = all.some((line) => {
        const text = line.verb === 'deny' || line.verb === 'write' ? undefined : meant(line, name, id)
        return text !== undefined && overlap(text, ask)
      })
      assert.equal(rights.mayAskFor(ask), isOverlapping)
    }),
    { numRuns: 2_000 },
  )
})

test('ten thousand lines cost a topic that was not asked before no more than a few do', () => {
  const all = Array.from({ length: limits.aclLinesMax }, (_, index): AclLine => {
    const text = `a/${index}/+/state`
    return {
      subject: { kind: 'user', name: 'u' },
      verb: 'read',
      filter: text,
      isPattern: false,
      line: index + 1,
      text,
    }
  })
  const book = new RightsBook(
    { file: 'acl', lines: all, groups: new Map() },
    new DecisionMemory(new Counters()),
  )
  const rights = book.rightsOf({ user: 'u', clientId: 'c' })
  // each line looked at for each topic would be 200 million looks
  for (let index = 0; index < 20_000; index++)
    assert.equal(rights.mayRead(`a/${index}/x/state`), index < 10_000)
})
