import { reasonOf } from '../core/errors.ts'
import type { Trigger } from '../core/rule.ts'
import type { TreeReader } from './tree-reader.ts'
import type { Tree } from './yaml-tree.ts'

const expected =
  'a time of day such as "07:30", or a cron pattern of five or six fields such as "0 7 * * mon-fri"'

/** Reads `at:`: a time of day becomes a cron pattern, and a cron pattern must have a next time. */
export async function readAt(tree: Tree, reader: TreeReader): Promise<Trigger | undefined> {
  const text = reader.text(tree, '"at" of this rule', expected)
  if (text === undefined) return undefined
  const [, hour, minute, second] = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(text.trim()) ?? []
  if (hour !== undefined) {
    if (Number(hour) > 23 || Number(minute) > 59 || Number(second ?? 0) > 59)
      return reader.mistake(tree, `there is no such time of day`, { expected: '"00:00" to "23:59:59"' })
    const fields = [minute, hour].map(Number).join(' ')
    return {
      kind: 'at',
      cron: second === undefined ? `${fields} * * *` : `${Number(second)} ${fields} * * *`,
    }
  }
  const { Cron } = await import('croner')
  try {
    // without a function it is only a pattern: no timer is set
    if (new Cron(text, { paused: true, mode: '5-or-6-parts' }).nextRun() !== null)
      return { kind: 'at', cron: text }
    return reader.mistake(tree, '"at" of this rule never comes', { expected })
  } catch (error) {
    const why = reasonOf(error)
      .replace(/^CronPattern: /, '')
      .replace(/\.$/, '')
    return reader.mistake(tree, `"at" of this rule is neither a time of day nor a cron pattern: ${why}`, {
      expected,
    })
  }
}
