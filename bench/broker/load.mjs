// The load: a process of its own, forked by measure.mjs. It does what one driver of one scenario's file says.
//   FILE DRIVER PORT PID PARAMS   → 'ready', 'go' → the driver's figures, 'end' → the driver's counts
// A driver is (broker: { port, pid }, params) => { run(), counts?(), close() }; what it does before it returns, and what
// its `warmUp` does, is not measured.
import { once } from 'node:events'

process.once('disconnect', () => process.exit())
const [file, name, port, pid, params] = process.argv.slice(2)
const { [name]: driver } = await import(file)
const { run, warmUp, counts, close } = await driver(
  { port: Number(port), pid: Number(pid) },
  JSON.parse(params),
)
await warmUp?.()
process.send('ready')
await once(process, 'message')

const before = process.cpuUsage()
const begunMs = performance.now()
const figures = await run()
const tookMs = performance.now() - begunMs
const { user, system } = process.cpuUsage(before)
process.send({ tookMs, loadNs: (user + system) * 1_000, ...figures })

await once(process, 'message')
process.send((await counts?.()) ?? {})
close?.()
setTimeout(() => process.disconnect(), 50) // so that what `close` writes is with the kernel
