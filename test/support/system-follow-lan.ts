// Run inside a network namespace by test/system/lan-namespace.test.ts: prints "IP|BOUND|PENDING|LOG" at start and at
// each change, until its standard input ends.
import { resolveBind } from '#src/system/bind.js'
import { Lan } from '#src/system/lan.js'
import { recordingLog } from './system-log.ts'

const log = recordingLog()
const lan = new Lan({
  log,
  intervalMs: 20,
  lossMs: 200,
  firstAnswerMs: Number(process.argv[2]),
})
const print = () => {
  const { addresses, pending } = resolveBind([{ kind: 'lan' }], lan.state)
  const reasons = pending.map(({ reason }) => reason).join()
  process.stdout.write(`${lan.identity.ip}|${addresses.join()}|${reasons}|${log.lines.join(';')}\n`)
}
await lan.start()
lan.onChange(print)
print()
process.stdin.resume()
process.stdin.on('end', () => lan[Symbol.asyncDispose]())
