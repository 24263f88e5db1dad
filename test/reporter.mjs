// One line a failure with its reason, one line for all that was skipped, one line of counts.
import { relative } from 'node:path'

const isCi = Boolean(process.env.CI)

export default async function* report(events) {
  const skipped = []
  let passed = 0
  let failed = 0
  for await (const { type, data } of events) {
    if (type === 'test:diagnostic' || data?.details?.type === 'suite') continue
    if (type === 'test:stderr') yield data.message
    if (type === 'test:pass' && data.skip !== undefined)
      skipped.push(`${data.name} (${data.skip || 'no reason given'})`)
    else if (type === 'test:pass') passed++
    else if (type === 'test:fail') {
      failed++
      const { error } = data.details
      const reason = error?.cause?.stack ?? error?.cause ?? error?.stack ?? error
      yield `\n✖ ${data.name}\n  ${relative(process.cwd(), data.file ?? '')}:${data.line}\n${String(reason).replace(/^/gm, '  ')}\n`
    }
  }
  if (skipped.length > 0) yield `\nskipped: ${skipped.join('; ')}\n`
  if (skipped.length > 0 && isCi) {
    yield 'nothing may be skipped in CI: install what is missing\n'
    process.exitCode = 1
  }
  yield `\n${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}\n`
}
