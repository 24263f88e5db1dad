// One line a failure with its reason, one line for all that was skipped, one line of counts.
import { relative } from 'node:path'

const isCi = (process.env.CI ?? '') !== '' && process.env.CI !== 'false'

export default async function* report(events) {
  const skipped = []
  const perFile = new Map()
  let passed = 0
  let failed = 0
  for await (const { type, data } of events) {
    if (type === 'test:stderr') yield data.message
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const isFile = data.nesting === 0 && data.name === data.file // a file without tests counts as one of itself
    if (data.file !== undefined) perFile.set(data.file, (perFile.get(data.file) ?? 0) + (isFile ? 0 : 1))
    if (data.skip !== undefined || data.todo !== undefined) {
      skipped.push(`${data.name} (${data.skip || data.todo || 'no reason given'})`)
    } else if (type === 'test:fail') {
      failed++
      const { error } = data.details
      const reason = error?.cause?.stack ?? error?.cause ?? error?.stack ?? error
      yield `\n✖ ${data.name}\n  ${relative(process.cwd(), data.file ?? '')}:${data.line}\n${String(reason).replace(/^/gm, '  ')}\n`
    } else if (data.details?.type !== 'suite' && !isFile) {
      passed++
    }
  }
  const empty = [...perFile].filter(([, count]) => count === 0).map(([file]) => relative(process.cwd(), file))
  if (empty.length > 0) yield `\nfiles without a test: ${empty.join(', ')}\n`
  if (skipped.length > 0) yield `\nskipped: ${skipped.join('; ')}\n`
  if (skipped.length > 0 && isCi) yield 'nothing may be skipped in CI: install what is missing\n'
  if (failed > 0 || empty.length > 0 || passed === 0 || (skipped.length > 0 && isCi)) process.exitCode = 1
  yield `\n${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}\n`
}
