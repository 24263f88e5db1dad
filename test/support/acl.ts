import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { DecisionMemory } from '#src/broker/access/decision-memory.js'
import { RightsBook } from '#src/broker/access/rights-book.js'
import type { Access } from '#src/broker/access.js'
import { readAclFile } from '#src/config/acl-file.js'
import { ProblemList } from '#src/config/problem-list.js'
import type { AccessList } from '#src/core/access.js'
import { Counters } from '#src/core/counters.js'
import type { Problem } from '#src/core/problems.js'
import { tempFolder } from './temp-folder.js'

export interface AclReading {
  readonly list: AccessList | undefined
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

/** Reads a text as `config/acl`. */
export async function readAcl(context: TestContext, text: string | Uint8Array): Promise<AclReading> {
  const path = join(await tempFolder(context), 'acl')
  await writeFile(path, text, { mode: 0o640 })
  const problems = new ProblemList()
  const warnings = new ProblemList()
  const list = await readAclFile(path, 'config/acl', problems, warnings)
  return { list, problems: problems.sorted(), warnings: warnings.sorted() }
}

/** A list without mistakes. */
export async function aclOf(context: TestContext, text: string): Promise<AccessList> {
  const { list, problems } = await readAcl(context, text)
  assert.deepEqual(problems, [])
  return list as AccessList
}

export async function bookOf(
  context: TestContext,
  text: string,
  counters = new Counters(),
): Promise<RightsBook> {
  return new RightsBook(await aclOf(context, text), new DecisionMemory(counters))
}

/** Everybody of this machine may come in, anonymously or as the user that a certificate names; then the list holds. */
export function accessWith(
  acl: AccessList | undefined,
  others: Readonly<Record<string, AccessList>> = {},
): Access {
  const terms = { allowAnonymous: 'local', credentials: undefined, tls: { userFrom: 'common-name' } } as const
  const listeners = Object.entries({ main: acl, ...others })
  return { ...terms, acl, listeners: new Map(listeners.map(([name, own]) => [name, { ...terms, acl: own }])) }
}
