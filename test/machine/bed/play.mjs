// play.mjs STAGE JOB [ARGUMENT…]: boots the machine with a job that run.mjs has laid out, and exits with its code. A job
// that has a host.mjs is handed to that instead: it boots, cuts and talks to the machine as it likes.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { boot } from './machine.mjs'

const [stage, name, ...args] = process.argv.slice(2)
const { MACHINE_IMAGE: image, MACHINE_LOGS: logs, MACHINE_JOB: settings } = process.env
const job = JSON.parse(settings)
const folder = join(import.meta.dirname, '..', name)
const machine = {
  image,
  job: join(stage, 'job.tar'),
  network: job.network === true,
  seconds: job.seconds,
  ...(logs === undefined ? {} : { logs: join(logs, name) }),
}
if (existsSync(join(folder, 'host.mjs'))) {
  const { play } = await import(join(folder, 'host.mjs'))
  process.exitCode = await play({ stage, machine, args })
} else {
  const script = ['job/run.sh', ...args.map((arg) => `'${arg.replaceAll("'", `'\\''`)}'`)].join(' ')
  const booted = boot({ ...machine, script })
  process.exitCode = await booted.ended()
  booted.clear()
}
