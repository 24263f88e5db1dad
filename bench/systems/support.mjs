import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** A port that nobody listens on at this moment. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

/** Ends a process that was spawned here, and waits for its end. */
export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

const [first, ...others] = allowed()

/** Where brokers run, and where the load: so that neither takes the other's processor, and each broker has one. */
export const processors = others.length === 0 ? {} : { broker: `${first}`, load: others.join(',') }

/**
 * Spawns a program, on these processors only when some are named; its pid is the program's. It does not outlive the
 * bench, whatever ends that.
 */
export function spawnOn(which, command, argv, options) {
  const child =
    which === undefined
      ? spawn(command, argv, options)
      : spawn('taskset', ['-c', which, command, ...argv], options)
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill()
})
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

/** The processors that this process may use. */
function allowed() {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]
  return list.split(',').flatMap((range) => {
    const [from, to = from] = range.split('-').map(Number)
    return Array.from({ length: to - from + 1 }, (_, index) => from + index)
  })
}
